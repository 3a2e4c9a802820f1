"""Pictures as a terminal takes them: the codes of Kitty, iTerm2 and Sixel, and letters in two colours."""
