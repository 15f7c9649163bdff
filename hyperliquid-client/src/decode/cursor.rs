//! Walks a parsed frame and always knows which of the frame's own bytes it stands on.
//!
//! simd-json leaves two lists: the tape (values in document order) and the offsets of every structural character: each bracket,
//! colon and comma, and the first byte of each key and value. Both are in document order, so walking them side by side gives the
//! exact bytes of any value without scanning for them. Every step answers `None` when the two lists do not agree, which would be
//! our bug or the parser's; the frame is then refused whole.

use simd_json::{Node, StaticNode};

#[derive(Clone)]
pub(super) struct Cursor<'t, 'a> {
    nodes: &'t [Node<'a>],
    marks: &'t [u32],
    /// The untouched bytes the offsets refer to.
    raw: &'a [u8],
}

/// A value the cursor has just entered: for a container, its children come next.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) node: Node<'a>,
    at: u32,
}

impl<'t, 'a> Cursor<'t, 'a> {
    pub(super) const fn new(nodes: &'t [Node<'a>], marks: &'t [u32], raw: &'a [u8]) -> Self {
        Self { nodes, marks, raw }
    }

    /// Enters the next value.
    #[inline]
    pub(super) fn value(&mut self) -> Option<Item<'a>> {
        let (node, nodes) = self.nodes.split_first()?;
        self.nodes = nodes;
        let at = self.mark()?;
        Some(Item { node: *node, at })
    }

    /// Takes the next key and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Option<&'a str> {
        let (node, nodes) = self.nodes.split_first()?;
        let (_, marks) = self.marks.split_first_chunk::<2>()?;
        (self.nodes, self.marks) = (nodes, marks);
        if let Node::String(key) = node { Some(key) } else { None }
    }

    /// Takes what follows a value inside a container: a comma, or the closing bracket after the last one.
    #[inline]
    pub(super) fn separator(&mut self) -> Option<u32> {
        self.mark()
    }

    /// Takes the closing bracket of an empty container; containers with children close with their last separator.
    #[inline]
    pub(super) fn close_if_empty(&mut self, len: usize) -> Option<()> {
        if len == 0 { self.mark().map(|_| ()) } else { Some(()) }
    }

    #[inline]
    fn mark(&mut self) -> Option<u32> {
        let (mark, marks) = self.marks.split_first()?;
        self.marks = marks;
        Some(*mark)
    }

    /// Passes over the children of a value just entered. No recursion: depth costs no stack.
    pub(super) fn skip(&mut self, item: Item<'a>) -> Option<()> {
        let (Node::Object { count, .. } | Node::Array { count, .. }) = item.node else { return Some(()) };
        let (children, nodes) = self.nodes.split_at_checked(count)?;
        let marks: usize =
            children.iter().map(own_marks).sum::<usize>() + own_marks(&item.node).checked_sub(1)?;
        self.nodes = nodes;
        self.marks = self.marks.get(marks..)?;
        Some(())
    }

    /// The bytes of a value that has just been entered and, if a container, left again.
    pub(super) fn raw_of(&self, item: Item<'a>) -> Option<&'a [u8]> {
        let start = usize::try_from(item.at).ok()?;
        let end = self.marks.first().and_then(|mark| usize::try_from(*mark).ok()).unwrap_or(self.raw.len());
        Some(self.raw.get(start..end)?.trim_ascii_end())
    }

    /// The bytes of a container from its opening bracket to the closing one just taken.
    #[inline]
    pub(super) fn raw_to(&self, item: Item<'a>, close: u32) -> Option<&'a [u8]> {
        self.raw.get(usize::try_from(item.at).ok()?..=usize::try_from(close).ok()?)
    }

    /// The text of a string, or of a number as it stands in the frame; `None` for anything else.
    #[inline]
    pub(super) fn figure(&self, item: Item<'a>) -> Option<&'a str> {
        match item.node {
            Node::String(text) => Some(text),
            Node::Static(StaticNode::I64(_) | StaticNode::U64(_) | StaticNode::F64(_)) => {
                std::str::from_utf8(self.raw_of(item)?).ok()
            }
            Node::Static(StaticNode::Bool(_) | StaticNode::Null)
            | Node::Object { .. }
            | Node::Array { .. } => None,
        }
    }
}

impl Item<'_> {
    #[inline]
    pub(super) const fn is_container(&self) -> bool {
        matches!(self.node, Node::Object { .. } | Node::Array { .. })
    }

    #[inline]
    pub(super) const fn is_null(&self) -> bool {
        matches!(self.node, Node::Static(StaticNode::Null))
    }
}

/// Structural characters of one node itself: a scalar or key has one; a container its two brackets, its commas, its colons.
const fn own_marks(node: &Node<'_>) -> usize {
    match node {
        Node::String(_) | Node::Static(_) => 1,
        Node::Object { len, .. } => 2 + *len + len.saturating_sub(1),
        Node::Array { len, .. } => 2 + len.saturating_sub(1),
    }
}
