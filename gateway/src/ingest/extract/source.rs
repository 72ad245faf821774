//! Programs: a piece for each function, type or other thing that stands at the margin. Told by indentation, which all languages share,
//! not by grammars: a grammar for each would be C, and would refuse what it does not know. Nothing is lost where the rule errs.

use super::{Block, BlockKind, LineMap};

/// How a language writes its comments.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Comments {
    /// `//` and `/* */`.
    Slashes,
    /// `#`.
    Hash,
    /// `--`, and `/* */` of SQL.
    Dashes,
    /// `;`.
    Semicolon,
    /// `%`.
    Percent,
    /// `<!-- -->`.
    Markup,
}

/// A longer piece is cut at what stands next to its margin: the methods of a class. About 800 tokens.
const MOST_BYTES: usize = 3_000;
/// Margins that are tried.
const MOST_DEPTH: usize = 4;

impl Comments {
    /// Those of the language that the extension of a file stands for.
    pub(super) fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "c" | "cc" | "cpp" | "cxx" | "cs" | "css" | "dart" | "go" | "gradle" | "groovy" | "h" | "hpp" | "java" | "js"
            | "jsx" | "kt" | "kts" | "less" | "m" | "mjs" | "mm" | "php" | "proto" | "rs" | "scala" | "scss" | "sol"
            | "swift" | "ts" | "tsx" | "zig" => Self::Slashes,
            "bash" | "cfg" | "cmake" | "conf" | "dockerfile" | "elixir" | "ex" | "exs" | "fish" | "graphql" | "jl" | "mk"
            | "nix" | "pl" | "pm" | "properties" | "ps1" | "py" | "pyi" | "r" | "rb" | "sh" | "tcl" | "tf" | "toml" | "yaml"
            | "yml" | "zsh" => Self::Hash,
            "ada" | "adb" | "ads" | "elm" | "hs" | "lua" | "sql" | "vhd" | "vhdl" => Self::Dashes,
            "asm" | "clj" | "cljs" | "el" | "ini" | "lisp" | "scm" => Self::Semicolon,
            "bib" | "erl" | "tex" => Self::Percent,
            "svelte" | "vue" | "xml" | "xsd" | "xsl" | "xslt" => Self::Markup,
            _ => return None,
        })
    }

    /// What begins a comment that ends with its line.
    fn line(self) -> Option<&'static str> {
        match self {
            Self::Slashes => Some("//"),
            Self::Hash => Some("#"),
            Self::Dashes => Some("--"),
            Self::Semicolon => Some(";"),
            Self::Percent => Some("%"),
            Self::Markup => None,
        }
    }

    /// What encloses a comment of several lines.
    fn block(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Slashes | Self::Dashes => Some(("/*", "*/")),
            Self::Markup => Some(("<!--", "-->")),
            Self::Hash | Self::Semicolon | Self::Percent => None,
        }
    }
}

/// A line and how far it is indented, `None` for an empty one.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: u32,
    text: &'a str,
    indent: Option<usize>,
}

/// The pieces of a program.
pub(super) fn blocks(text: &str, comments: Comments) -> Vec<Block> {
    let lines: Vec<Line<'_>> = (1..).zip(text.lines()).map(|(number, text)| line(number, text)).collect();
    let margin = lines.iter().filter_map(|line| line.indent).min().unwrap_or(0);
    let mut blocks = Vec::new();
    cut(&lines, margin, MOST_DEPTH, comments, &mut blocks);
    blocks
}

fn line(number: u32, text: &str) -> Line<'_> {
    let text = text.trim_end();
    let indent = (!text.is_empty()).then(|| {
        let blanks = text.bytes().take_while(|byte| matches!(byte, b' ' | b'\t'));
        blanks.map(|byte| if byte == b'\t' { 4 } else { 1 }).sum()
    });
    Line { number, text, indent }
}

/// Cuts at a margin; a piece that is too long, at the next one.
fn cut(lines: &[Line<'_>], margin: usize, depth: usize, comments: Comments, blocks: &mut Vec<Block>) {
    for piece in pieces(lines, margin) {
        let size: usize = piece.iter().map(|line| line.text.len() + 1).sum();
        let next = piece.iter().filter_map(|line| line.indent).filter(|indent| *indent > margin).min();
        match next {
            Some(next) if size > MOST_BYTES && depth > 1 => cut(piece, next, depth - 1, comments, blocks),
            Some(_) | None => push(piece, comments, blocks),
        }
    }
}

/// Parts lines where something begins at the margin or left of it: after an empty line, or after something that was indented or closed.
fn pieces<'l, 'a>(lines: &'l [Line<'a>], margin: usize) -> Vec<&'l [Line<'a>]> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut may_begin = false;
    for (at, line) in lines.iter().enumerate() {
        let Some(indent) = line.indent else {
            may_begin = true;
            continue;
        };
        let closes = closes(line.text);
        if indent <= margin && may_begin && !closes && at > from {
            pieces.push(&lines[from..at]);
            from = at;
        }
        may_begin = indent > margin || closes;
    }
    pieces.push(&lines[from..]);
    pieces
}

/// Whether a line ends or goes on with what stands before it.
fn closes(text: &str) -> bool {
    let text = text.trim_start();
    let word = text.split(|character: char| !character.is_alphanumeric()).next().unwrap_or_default();
    text.starts_with(['}', ')', ']'])
        || text.starts_with("</")
        || matches!(word, "end" | "else" | "elif" | "elsif" | "except" | "finally" | "catch" | "fi" | "done" | "esac")
}

fn push(lines: &[Line<'_>], comments: Comments, blocks: &mut Vec<Block>) {
    let Some(first) = lines.iter().position(|line| line.indent.is_some()) else { return };
    let last = lines.iter().rposition(|line| line.indent.is_some()).unwrap_or(first);
    let lines = &lines[first..=last];
    let text = lines.iter().map(|line| line.text).collect::<Vec<_>>().join("\n");
    let kind = if is_comment(lines, comments) { BlockKind::Comment } else { BlockKind::Source };
    blocks.push(Block { lines: LineMap::each(&text, lines[0].number), ..Block::new(kind, text) });
}

/// Whether all of the lines are comments.
fn is_comment(lines: &[Line<'_>], comments: Comments) -> bool {
    let mut closing = None;
    lines.iter().map(|line| line.text.trim_start()).filter(|text| !text.is_empty()).all(|text| {
        if let Some(close) = closing {
            if let Some((_, rest)) = text.split_once(close) {
                closing = None;
                return rest.trim().is_empty();
            }
            return true;
        }
        if comments.line().is_some_and(|mark| text.starts_with(mark) && !text.starts_with("#!") && !text.starts_with("#[")) {
            return true;
        }
        let Some((_, rest, close)) =
            comments.block().and_then(|(open, close)| text.strip_prefix(open).map(|rest| (open, rest, close)))
        else {
            return false;
        };
        match rest.split_once(close) {
            Some((_, rest)) => rest.trim().is_empty(),
            None => {
                closing = Some(close);
                true
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{
        BlockKind::{Comment, Source},
        *,
    };

    fn read(text: &str, comments: Comments) -> Vec<(BlockKind, u32, String)> {
        let block = |block: Block| (block.kind, block.lines.at(0).unwrap(), block.text);
        blocks(text, comments).into_iter().map(block).collect()
    }

    #[test]
    fn functions_and_comments_that_stand_alone_are_pieces() {
        let text = "//! What it is.\n//! And why.\n\nuse a;\nuse b;\n\n/// Adds.\nfn add() {\n    a();\n\n    b();\n}\nfn sub() {\n    c();\n}\n";
        let wanted = [
            (Comment, 1, "//! What it is.\n//! And why."),
            (Source, 4, "use a;\nuse b;"),
            (Source, 7, "/// Adds.\nfn add() {\n    a();\n\n    b();\n}"),
            (Source, 13, "fn sub() {\n    c();\n}"),
        ];
        assert_eq!(read(text, Comments::Slashes), wanted.map(|(kind, line, text)| (kind, line, text.to_owned())));
    }

    #[test]
    fn indentation_is_enough_for_languages_without_braces() {
        let text = "# Licence.\n\nimport os\n\n@cached\ndef one():\n    if a:\n        b()\n    else:\n        c()\ndef two():\n    pass\n";
        let firsts: Vec<_> = read(text, Comments::Hash).into_iter().map(|(kind, line, _)| (kind, line)).collect();
        assert_eq!(firsts, [(Comment, 1), (Source, 3), (Source, 5), (Source, 11)]);
    }

    #[test]
    fn a_long_class_is_cut_at_its_methods() {
        let method = |name: &str| format!("    void {name}() {{\n{}    }}\n\n", "        doSomething(one, two);\n".repeat(40));
        let text = format!("class A {{\n    int a;\n\n{}{}{}}}\n", method("one"), method("two"), method("three"));
        let pieces = read(&text, Comments::Slashes);
        let begins: Vec<_> = pieces.iter().map(|(_, _, text)| text.lines().next().unwrap().trim().to_owned()).collect();
        assert_eq!(begins, ["class A {", "void one() {", "void two() {", "void three() {"]);
    }

    #[test]
    fn block_comments_count_as_comments_only_when_nothing_follows() {
        assert_eq!(read("/* one\n two */", Comments::Slashes)[0].0, Comment);
        assert_eq!(read("/* one */ int a;", Comments::Slashes)[0].0, Source);
        assert_eq!(read("<!-- a\nb -->", Comments::Markup)[0].0, Comment);
    }
}
