"""Audits: which labels are likely wrong, why and how badly, and which classes annotators forget. numpy only.

`findings` lists suspected errors and carries a review out; what it rests on are `confident` (what a model says),
`cooccurrence` (labels that contradict each other) and `duplicates` (near-identical images labelled differently);
`severity` sorts the errors, `accepted` measures models against what a review accepted, `bias` says which classes are
mentioned and which forgotten. `pictures` alone opens image files, with Pillow.

Scores must be out of sample, and calibrated if they can be.
"""
