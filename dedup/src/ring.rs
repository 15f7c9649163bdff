//! A queue in pieces of equal size: it grows without moving or copying what it holds, and gives back what it empties.
//!
//! Many thousand of them live side by side in one process (a few for each account): pieces that one gives back fit every other, where
//! buffers that grow by a factor leave holes behind that none of the next size fits.

use std::collections::VecDeque;

/// Entries of a piece.
const PIECE: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Ring<T> {
    /// All full but the last; none when nothing is held.
    pieces: VecDeque<Vec<T>>,
    /// How many of the first piece were let go: they go with their piece.
    gone: usize,
    len: usize,
}

impl<T> Ring<T> {
    pub(crate) const fn new() -> Self {
        Self { pieces: VecDeque::new(), gone: 0, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.pieces.capacity() * size_of::<Vec<T>>() + self.pieces.len() * PIECE * size_of::<T>()
    }

    #[inline]
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        let from_first = place + self.gone;
        self.pieces.get(from_first / PIECE)?.get(from_first % PIECE)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let from_first = place + self.gone;
        self.pieces.get_mut(from_first / PIECE)?.get_mut(from_first % PIECE)
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.pieces.front()?.get(self.gone)
    }

    pub(crate) fn back_mut(&mut self) -> Option<&mut T> {
        self.pieces.back_mut()?.last_mut()
    }

    pub(crate) fn push_back(&mut self, entry: T) {
        if (self.gone + self.len).is_multiple_of(PIECE) {
            self.pieces.push_back(Vec::with_capacity(PIECE));
        }
        if let Some(last) = self.pieces.back_mut() {
            last.push(entry);
            self.len += 1;
        }
    }

    /// Lets the first entry go; false when there is none.
    pub(crate) fn drop_front(&mut self) -> bool {
        if self.is_empty() {
            return false;
        }
        (self.len, self.gone) = (self.len - 1, self.gone + 1);
        if self.gone == PIECE || self.is_empty() {
            self.pieces.pop_front();
            self.gone = 0;
        }
        true
    }

    /// Costs a pass over all.
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let all = std::mem::replace(self, Self::new());
        all.pieces.into_iter().flatten().skip(all.gone).filter(keep).for_each(|entry| self.push_back(entry));
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        let gone = self.gone;
        self.pieces
            .iter()
            .enumerate()
            .flat_map(move |(n, piece)| piece.iter().skip(if n == 0 { gone } else { 0 }))
    }

    pub(crate) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        let gone = self.gone;
        self.pieces
            .iter_mut()
            .enumerate()
            .flat_map(move |(n, piece)| piece.iter_mut().skip(if n == 0 { gone } else { 0 }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_one_queue(steps in prop::collection::vec(prop_oneof![
            8 => Just(None),
            1 => (0_usize..70).prop_map(Some),
        ], 0..400), odd in any::<bool>()) {
            let (mut ring, mut queue) = (Ring::new(), VecDeque::new());
            for (number, step) in (0_u32..).zip(steps) {
                match step {
                    None => {
                        ring.push_back(number);
                        queue.push_back(number);
                    }
                    Some(count) => for _ in 0..count {
                        prop_assert_eq!(ring.drop_front(), queue.pop_front().is_some());
                    },
                }
                prop_assert_eq!((ring.len(), ring.is_empty()), (queue.len(), queue.is_empty()));
                prop_assert_eq!(ring.front(), queue.front());
                prop_assert_eq!(ring.back_mut(), queue.back_mut());
                prop_assert!((0..=queue.len()).all(|place| ring.get(place) == queue.get(place)));
            }
            if odd {
                ring.retain(|entry| entry % 3 == 1);
                queue.retain(|entry| entry % 3 == 1);
            }
            ring.iter_mut().for_each(|entry| *entry += 1);
            queue.iter_mut().for_each(|entry| *entry += 1);
            if let (Some(one), Some(other)) = (ring.get_mut(queue.len() / 2), queue.get(queue.len() / 2)) {
                prop_assert_eq!(&*one, other);
            }
            prop_assert!(ring.iter().rev().eq(queue.iter().rev()));
            prop_assert!(ring.memory_bytes() <= (queue.len() + 2 * PIECE) * 4 + 4096, "{}", ring.memory_bytes());
        }
    }
}
