"""A guided tour for learners: ``lessons`` computes what is shown, ``terminal`` and ``document`` show it.

``model`` says of what a step is made.
"""
