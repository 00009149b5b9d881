"""The steps of a stratified split; `manylabel.data.split` takes them in turn.

`units` makes one row of every group of images that must stay together, `goals` says what each part should get, `greedy`
gives every unit a part, `cover` brings every class into every part that it can reach, `even` moves and swaps until no
count comes nearer to its goal. `grouping` finds the groups, `told` says what came out.
"""
