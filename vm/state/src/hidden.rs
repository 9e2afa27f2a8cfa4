//! Where writes hide what lies below them.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Ranges of keys in which a view has nothing that is not written over, as far as somebody has looked: so that who merges
/// the view with the writes passes over what they hide once, and not in every scan.
///
/// ```
/// use noema_state::HiddenRanges;
/// let mut hidden = HiddenRanges::default();
/// let (mut from, keys) = (b"a".to_vec(), [b"b".as_slice(), b"c", b"d"]);
/// let shown: Vec<bool> = keys.iter().map(|key| hidden.pass(&mut from, key, *key != b"d")).collect();
/// assert_eq!((shown, from), (vec![false, false, true], b"d\0".to_vec()));
/// let mut again = b"a".to_vec();
/// hidden.skip(&mut again);
/// assert_eq!(again, b"c\0");
/// ```
#[derive(Debug, Default)]
pub struct HiddenRanges {
    /// Ends, which are outside, by the beginnings. No two ranges touch.
    ranges: BTreeMap<Vec<u8>, Vec<u8>>,
}

type Bounds<'k> = (Bound<&'k [u8]>, Bound<&'k [u8]>);

fn up_to(end: Bound<&[u8]>) -> Bounds<'_> {
    (Bound::Unbounded, end)
}

/// The smallest key above this one.
fn behind(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

impl HiddenRanges {
    /// Moves a place from which a view is to be read to the end of the range that it is in.
    pub fn skip(&self, place: &mut Vec<u8>) {
        if let Some((_, end)) = self.ranges.range::<[u8], _>(up_to(Bound::Included(place))).next_back()
            && end > place
        {
            place.clone_from(end);
        }
    }

    /// Goes over the first key that a view has from `from` on, which something is written over or not; moves `from`
    /// behind it. Returns whether it is shown.
    pub fn pass(&mut self, from: &mut Vec<u8>, key: &[u8], is_hidden: bool) -> bool {
        let begin = std::mem::replace(from, behind(key));
        if is_hidden {
            self.add(begin, from.clone());
        }
        !is_hidden
    }

    /// Nothing is written over a key any more.
    pub fn show(&mut self, key: &[u8]) {
        let range = self.ranges.range::<[u8], _>(up_to(Bound::Included(key))).next_back();
        let Some((begin, end)) = range.filter(|(_, end)| end.as_slice() > key) else { return };
        let (begin, end) = (begin.clone(), end.clone());
        self.ranges.remove(&begin);
        for (begin, end) in [(begin, key.to_vec()), (behind(key), end)] {
            if begin < end {
                self.ranges.insert(begin, end);
            }
        }
    }

    fn add(&mut self, begin: Vec<u8>, mut end: Vec<u8>) {
        // What somebody has found who began to read further on.
        while let Some((later, _)) = self.ranges.range(begin.clone()..=end.clone()).next() {
            let later = later.clone();
            end = end.max(self.ranges.remove(&later).unwrap_or_default());
        }
        match self.ranges.range_mut::<[u8], _>(up_to(Bound::Excluded(&begin))).next_back() {
            Some((_, before)) if *before >= begin => *before = end.max(std::mem::take(before)),
            _ => drop(self.ranges.insert(begin, end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(hidden: &HiddenRanges) -> Vec<(u8, u8)> {
        hidden.ranges.iter().map(|(begin, end)| (begin[0], end[0])).collect()
    }

    #[test]
    fn ranges_that_touch_are_one() {
        let mut hidden = HiddenRanges::default();
        for (begin, end) in [(10, 20), (30, 40), (50, 60), (20, 30), (5, 55), (7, 8)] {
            hidden.add(vec![begin], vec![end]);
        }
        assert_eq!(ranges(&hidden), [(5, 60)]);
        for (place, moved) in [(4, 4), (5, 60), (59, 60), (60, 60)] {
            let mut place = vec![place];
            hidden.skip(&mut place);
            assert_eq!(place, [moved]);
        }
    }

    #[test]
    fn a_key_that_is_shown_divides_a_range() {
        let mut hidden = HiddenRanges::default();
        hidden.add(vec![5], vec![9]);
        for key in [4, 9, 7, 7] {
            hidden.show(&[key]);
        }
        assert_eq!(hidden.ranges, BTreeMap::from([(vec![5], vec![7]), (vec![7, 0], vec![9])]));
        // The first key of a range, and the only one of another.
        hidden.show(&[5]);
        hidden.add(vec![20], vec![20, 0]);
        hidden.show(&[20]);
        assert_eq!(hidden.ranges, BTreeMap::from([(vec![5, 0], vec![7]), (vec![7, 0], vec![9])]));
    }
}
