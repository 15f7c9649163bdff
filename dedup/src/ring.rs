//! A queue in pieces of equal size: it grows without moving or copying what it holds, and gives back what it empties.
//!
//! Many thousand of them live side by side in one process (a few for each account): pieces that one gives back fit every other, where
//! buffers that grow by a factor leave holes behind that none of the next size fits.

use std::collections::VecDeque;

/// Entries of a piece.
const PIECE: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Ring<T> {
    /// All full but the first and the last; none is empty.
    pieces: VecDeque<VecDeque<T>>,
    /// How many were taken from the first piece.
    taken: usize,
    len: usize,
}

impl<T> Ring<T> {
    pub(crate) const fn new() -> Self {
        Self { pieces: VecDeque::new(), taken: 0, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.pieces.capacity() * size_of::<VecDeque<T>>() + self.pieces.len() * PIECE * size_of::<T>()
    }

    #[inline]
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        let (piece, at) = self.find(place);
        self.pieces.get(piece)?.get(at)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let (piece, at) = self.find(place);
        self.pieces.get_mut(piece)?.get_mut(at)
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.pieces.front()?.front()
    }

    pub(crate) fn back_mut(&mut self) -> Option<&mut T> {
        self.pieces.back_mut()?.back_mut()
    }

    pub(crate) fn push_back(&mut self, entry: T) {
        let (piece, _) = self.find(self.len);
        if piece == self.pieces.len() {
            self.pieces.push_back(VecDeque::with_capacity(PIECE));
        }
        if let Some(last) = self.pieces.back_mut() {
            last.push_back(entry);
            self.len += 1;
        }
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let first = self.pieces.front_mut()?;
        let entry = first.pop_front()?;
        let is_empty = first.is_empty();
        (self.len, self.taken) = (self.len - 1, self.taken + 1);
        if is_empty {
            self.pieces.pop_front();
            self.taken = 0;
        }
        Some(entry)
    }

    /// Costs a pass over all.
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let mut kept = Self::new();
        while let Some(entry) = self.pop_front() {
            if keep(&entry) {
                kept.push_back(entry);
            }
        }
        *self = kept;
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.pieces.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.pieces.iter_mut().flatten()
    }

    /// The piece of a place, and the place in that.
    #[inline]
    fn find(&self, place: usize) -> (usize, usize) {
        let from_first = place + self.taken;
        let piece = from_first / PIECE;
        (piece, if piece == 0 { place } else { from_first % PIECE })
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
                        prop_assert_eq!(ring.pop_front(), queue.pop_front());
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
