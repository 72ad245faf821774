#!/usr/bin/env python3
"""Makes a collection in BEIR's layout of the PostgreSQL manual: its headings are the questions, its text without them the documents.

    manual.py [--closed] HTML_FOLDER OUT_FOLDER

HTML_FOLDER is the manual as Debian's package postgresql-doc-15 has it. Pages are cut at paragraphs into documents of at most about 1,024
tokens. A heading of a section is a question where no other section has the same; the document in which its section begins is the one
that is relevant. Reference pages and release notes give documents and no questions: their headings repeat.

With --closed the release notes are left out, documents have at most about 1,024 tokens of the model, and a heading is a question only
where the text up to the next heading stands in one document: no other document holds a part of the answer.
"""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

# Pieces of words and signs; the tokens of a WordPiece model are about a seventh more.
PIECE = re.compile(r"[A-Za-z]{1,8}|\d{1,3}|[^\w\s]|_")
MOST_PIECES = 900
# Of --closed: about 1,024 tokens, as documents of prose and of code have them.
MOST_PIECES_CLOSED = 930
SECTIONS = {"sect1", "sect2", "sect3", "sect4"}
APART = {"navheader", "navfooter", "toc", "titlepage"}
BLOCKS = {"p", "pre", "li", "dt", "dd", "tr", "h1", "h2", "h3", "h4", "div", "table"}
VOID = {"br", "hr", "img", "meta", "link", "col", "input", "area", "base", "wbr"}


class Page(HTMLParser):
    """Blocks of text of a page, and behind how many of them each section begins."""

    def __init__(self):
        super().__init__()
        self.stack, self.blocks, self.text = [], [], ""
        self.sections, self.heading = [], None

    def inside(self, names):
        return any(name in names for _, name in self.stack)

    def handle_starttag(self, tag, attributes):
        if tag in VOID:
            return
        name = dict(attributes).get("class") or ""
        if tag in BLOCKS:
            self.end_block()
        if tag == "div" and name in SECTIONS:
            self.sections.append([len(self.blocks), None])
        if tag in {"h2", "h3", "h4", "h5"} and self.inside({"titlepage"}) and self.sections and self.sections[-1][1] is None:
            self.heading = ""
        self.stack.append((tag, name))

    def handle_endtag(self, tag):
        if tag in BLOCKS:
            self.end_block()
        if self.heading is not None and tag in {"h2", "h3", "h4", "h5"}:
            self.sections[-1][1] = re.sub(r"^[\dA-Z.]*\d\.\s*", "", " ".join(self.heading.replace("#", " ").split()))
            self.heading = None
        if any(open_tag == tag for open_tag, _ in self.stack):
            while self.stack.pop()[0] != tag:
                pass

    def handle_data(self, data):
        if self.heading is not None:
            self.heading += data
        elif any(tag == "body" for tag, _ in self.stack) and not self.inside(APART):
            self.text += data

    def end_block(self):
        text = " ".join(self.text.split())
        if text:
            self.blocks.append(text)
        self.text = ""


def documents(page, most_pieces):
    """The blocks put together into documents, and the document that each block is in."""
    found, size, of_block = [], most_pieces, []
    for block in page.blocks:
        pieces = len(PIECE.findall(block))
        if size + pieces > most_pieces:
            found.append([])
            size = 0
        found[-1].append(block)
        size += pieces
        of_block.append(len(found) - 1)
    return ["\n".join(blocks) for blocks in found], of_block


def ends(page):
    """Of each section, behind how many blocks the text up to the next heading ends."""
    begins = [block for block, _ in page.sections]
    return [max(end, begin + 1) for begin, end in zip(begins, begins[1:] + [len(page.blocks)])]


def main():
    arguments = sys.argv[1:]
    closed = "--closed" in arguments
    source, out = (Path(argument) for argument in arguments if argument != "--closed")
    (out / "qrels").mkdir(parents=True, exist_ok=True)
    corpus, headings = [], {}
    for path in sorted(source.glob("*.html")):
        if path.stem.startswith("bookindex") or closed and path.stem.startswith("release-"):
            continue
        page = Page()
        page.feed(path.read_text(encoding="utf-8", errors="replace"))
        page.end_block()
        texts, of_block = documents(page, MOST_PIECES_CLOSED if closed else MOST_PIECES)
        corpus += [{"_id": f"{path.stem}-{number}", "title": "", "text": text} for number, text in enumerate(texts)]
        if path.stem.startswith(("sql-", "app-", "release-", "pgbench")):
            continue
        for (block, heading), end in zip(page.sections, ends(page)):
            if heading and len(heading.split()) >= 2 and block < len(of_block):
                asked = not closed or len(set(of_block[block:end])) == 1
                headings.setdefault(heading, []).append((f"{path.stem}-{of_block[block]}", asked))
    questions = [(heading, where[0][0]) for heading, where in headings.items() if len(where) == 1 and where[0][1]]
    with open(out / "corpus.jsonl", "w") as file:
        file.writelines(json.dumps(line) + "\n" for line in corpus)
    with open(out / "queries.jsonl", "w") as file:
        file.writelines(json.dumps({"_id": str(number), "text": heading}) + "\n" for number, (heading, _) in enumerate(questions))
    with open(out / "qrels" / "test.tsv", "w") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        file.writelines(f"{number}\t{document}\t1\n" for number, (_, document) in enumerate(questions))
    print(f"{len(corpus)} documents, {len(questions)} questions in {out}")


if __name__ == "__main__":
    main()
