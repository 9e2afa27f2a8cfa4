//! Where the words of a text end.

use super::{BLANK, BREAK, BytePairs, LETTER, NUMBER, OTHER};

/// A character, its class, and where it ends in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) point: u32,
    pub(super) class: u8,
    pub(super) end: usize,
}

const APOSTROPHE: u32 = 0x27;
const SPACE: u32 = 0x20;
/// The long s, which is an s in another case.
const LONG_S: u32 = 0x17f;

/// Behind which mark the word ends that begins with mark `at`.
pub(super) fn end(op: &BytePairs, marks: &[Mark], at: usize) -> usize {
    let gpt_2 = op.pattern == BytePairs::GPT_2;
    let first = marks[at];
    let is = |at: usize, class: u8| marks.get(at).is_some_and(|mark| mark.class == class);
    let run = |from: usize, of: &dyn Fn(&Mark) -> bool| {
        marks[from..].iter().position(|mark| !of(mark)).map_or(marks.len(), |length| from + length)
    };
    let of_class = |from: usize, class: u8| run(from, &|mark| mark.class == class);
    if first.point == APOSTROPHE
        && let Some(length) = contraction(&marks[at + 1..], !gpt_2)
    {
        return at + 1 + length;
    }
    let behind_space = at + usize::from(first.point == SPACE);
    if gpt_2 {
        for class in [LETTER, NUMBER, OTHER] {
            if is(behind_space, class) {
                return of_class(behind_space, class);
            }
        }
    } else {
        let behind_one = at + usize::from(matches!(first.class, OTHER | BLANK));
        if is(behind_one, LETTER) {
            return of_class(behind_one, LETTER);
        }
        if first.class == NUMBER {
            // No further than the word can reach: the numbers behind it are looked at for the next one.
            let most = usize::try_from(op.digits).ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
            return at + marks[at..].iter().take(most).take_while(|mark| mark.class == NUMBER).count();
        }
        if is(behind_space, OTHER) {
            return of_class(of_class(behind_space, OTHER), BREAK);
        }
    }
    let end = run(at, &|mark| matches!(mark.class, BLANK | BREAK));
    if !gpt_2 && let Some(last) = marks[at..end].iter().rposition(|mark| mark.class == BREAK) {
        return at + last + 1;
    }
    // The last blank before something else belongs to what follows.
    if end < marks.len() && end > at + 1 { end - 1 } else { end.max(at + 1) }
}

/// How many marks behind an apostrophe end a word that is contracted, in either case or as it stands here.
fn contraction(marks: &[Mark], either_case: bool) -> Option<usize> {
    let letter = |at: usize| {
        let point = marks.get(at)?.point;
        let lower = match point {
            LONG_S if either_case => u32::from('s'),
            0x41..=0x5a if either_case => point + 0x20,
            _ => point,
        };
        char::from_u32(lower)
    };
    match (letter(0)?, letter(1)) {
        ('s' | 't' | 'm' | 'd', _) => Some(1),
        ('r' | 'v', Some('e')) | ('l', Some('l')) => Some(2),
        _ => None,
    }
}
