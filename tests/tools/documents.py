"""The structure of Markdown documents: headings, code spans and shell blocks."""

import itertools
from pathlib import Path

from markdown_it import MarkdownIt


def _tokens(path):
    return MarkdownIt().enable("table").parse(Path(path).read_text())


def headings(path, tag):
    """Returns the headings of one level, such as `h3`."""
    return [
        text.content
        for heading, text in itertools.pairwise(_tokens(path))
        if heading.type == "heading_open" and heading.tag == tag
    ]


def code_spans(path):
    return [child.content for token in _tokens(path) for child in token.children or [] if child.type == "code_inline"]


def shell_blocks(path, chapter=None):
    """Returns the `sh` blocks of a document, or those below one of its second-level headings."""
    found, current = [], None
    tokens = _tokens(path)
    for at, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            current = tokens[at + 1].content
        if token.type == "fence" and token.info == "sh" and chapter in (None, current):
            found.append(token.content)
    return found
