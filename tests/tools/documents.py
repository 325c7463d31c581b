"""The structure of Markdown documents: headings, code spans, tables and shell blocks."""

import itertools
from pathlib import Path

from markdown_it import MarkdownIt


def _tokens(path, chapter=None):
    """Returns pairs of subsequent tokens of a document, or of the chapter with that second-level heading."""
    found, current = [], None
    tokens = MarkdownIt().enable("table").parse(Path(path).read_text())
    for token, following in itertools.pairwise([*tokens, None]):
        if (token.type, token.tag) == ("heading_open", "h2"):
            current = following.content
        if chapter in (None, current):
            found.append((token, following))
    return found


def headings(path, tag):
    """Returns the headings of one level, such as `h3`."""
    return [text.content for token, text in _tokens(path) if (token.type, token.tag) == ("heading_open", tag)]


def code_spans(path):
    return [span for token, _ in _tokens(path) for span in _spans(token)]


def first_cells(path, chapter):
    """Returns the code spans in the first column of the tables of a chapter."""
    pairs = itertools.pairwise(_tokens(path, chapter))
    return [span for (row, _), (_, cell) in pairs if row.type == "tr_open" for span in _spans(cell)]


def shell_blocks(path, chapter=None):
    return blocks(path, "sh", chapter)


def blocks(path, language, chapter=None):
    """Returns the code blocks in one language, such as `sh`."""
    return [token.content for token, _ in _tokens(path, chapter) if (token.type, token.info) == ("fence", language)]


def _spans(token):
    return [child.content for child in token.children or [] if child.type == "code_inline"]
