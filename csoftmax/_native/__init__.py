"""Between a public function and a kernel: whether (checks), which (dispatch, threads), and how.

`checks` is the only place that raises about input. `row_losses` and `linear_data` turn a caller's
arguments into a kernel's; `layout` and `csr` say how arrays are seen.
"""
