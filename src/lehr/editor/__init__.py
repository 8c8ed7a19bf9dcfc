"""A schedule designed by hand: its text is the document, and handles change the numbers in it.

>>> from lehr.editor.handles import handles
>>> from lehr.editor.moving import moved
>>> text = "warmup('5%') >> hold() >> linear('20%')  # as before"
>>> [handle.id for handle in handles(text, 1000)]
['0', '1', '2', 'end']
>>> moved(text, 1000, "2", 700, None)
"warmup('5%') >> hold() >> linear('30%')  # as before"
"""
