"""Pages for people: one file of HTML with its pictures in it, without scripts, that fetches nothing."""
