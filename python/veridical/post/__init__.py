"""Posts: which receipt a published text came from, and whether it is that text unchanged.

    post = veridical.post.attach(receipt, template=template, outputs=run.outputs)
    checked = veridical.post.check_post(post, policy, now=time.time(), template=template)

Spec: spec/v1/post.md.

| Module       | Purpose                                                  |
|--------------|----------------------------------------------------------|
| `template`   | the template: parsing                                     |
| `filling`    | a template and an output into a text                      |
| `document`   | `*.post.json`: bytes and limits                           |
| `checking`   | the checks of a post, one verdict, and how the text stands |
| `difference` | what was edited, for people                               |
| `attaching`  | making a post                                             |
"""

from __future__ import annotations

from veridical.post.attaching import attach
from veridical.post.checking import CheckedPost, PostReport, Relation, check_post, explain_post
from veridical.post.difference import Difference, difference
from veridical.post.document import Excerpt, Post
from veridical.post.filling import Filled
from veridical.post.template import Template

__all__ = [
    "CheckedPost",
    "Difference",
    "Excerpt",
    "Filled",
    "Post",
    "PostReport",
    "Relation",
    "Template",
    "attach",
    "check_post",
    "difference",
    "explain_post",
]
