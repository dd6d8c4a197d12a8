"""A page on the person's own machine to pick and drag elements, and its HTTP API: `eie open`.

    browser ⇄ app (FastAPI) ⇄ documents: element files of one folder
                            ⇄ workers: processes that decompose and render, and can be killed

What a document is stands in its file and nowhere else: the server can be killed at any time, and
commands may edit the same file meanwhile.
"""
