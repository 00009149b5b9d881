"""What `doctor` is made of: counting, looking at files, and the findings and the page made of both.

`counts`, `together`, `copies` and `on_disk` find things out and say nothing; the modules named `about_...` turn that
into findings; `page` draws them. All but the page work on tables and on lists of labels (`sparse.SparseLabels`) alike.
"""
