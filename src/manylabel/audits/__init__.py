"""Audits: which labels are likely wrong, and why. numpy only.

Scores must be out of sample, and calibrated if they can be.
"""
