"""Measures of quality, beside baselines: a module an evaluation, and what they share.

segmentation, clicks, edits, reconstruction, ablation   the evaluations; settings has theirs
cases       what is judged: photos, what people saw in them, edits whose result is known
baselines   what eie is compared with
measures    how good a result is; `measures.table` names all of them
core        the run: cases one by one or by several processes, kept in a store
reports     means as a table, JSON, CSV, plots and a page
"""
