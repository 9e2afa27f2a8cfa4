//! Going through a map in order.

use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;

use super::{Entry, Key, decode, scan};
use crate::encoding::Decode;
use crate::{Result, code};

/// Entries of the first page. Each page is twice the one before, up to the last constant: who wants the first entry alone
/// pays for few, who wants all of them pays for few calls.
const FIRST_PAGE: usize = 4;
const LARGEST_PAGE: usize = 64;

/// Entries of a map in the order of their keys. They are read page by page, each page as the storage is then: what is
/// written or removed behind the iterator is not seen, what is ahead of its page is. After an error it ends.
#[derive(Debug)]
pub struct Entries<K, V> {
    pages: Pages,
    /// How much of a stored key is no part of `K`.
    own: usize,
    entry: PhantomData<fn() -> (K, V)>,
}

/// The same for any types, so that a contract has the code once.
#[derive(Debug)]
struct Pages {
    /// What keys start with in the storage.
    prefix: Vec<u8>,
    /// Where the next page starts; nothing behind the last one.
    start: Option<Vec<u8>>,
    page: vec::IntoIter<Entry>,
    size: usize,
}

impl Pages {
    #[inline(never)]
    fn next(&mut self) -> Result<Option<Entry>> {
        if let Some(entry) = self.page.next() {
            return Ok(Some(entry));
        }
        let Some(start) = self.start.take() else { return Ok(None) };
        let page = scan(&self.prefix, &start, self.size)?;
        if page.len() == self.size
            && let Some((last, _)) = page.last()
        {
            let mut next = last.clone();
            next.push(0);
            self.start = Some(next);
        }
        self.size = LARGEST_PAGE.min(self.size * 2);
        self.page = page.into_iter();
        Ok(self.page.next())
    }

    fn end(&mut self) {
        (self.start, self.page) = (None, Vec::new().into_iter());
    }
}

impl<K, V> Entries<K, V> {
    pub(super) fn new(own: usize, prefix: Vec<u8>, start: Vec<u8>) -> Entries<K, V> {
        let pages = Pages { prefix, start: Some(start), page: Vec::new().into_iter(), size: FIRST_PAGE };
        Entries { pages, own, entry: PhantomData }
    }
}

impl<K: Key, V: Decode> Entries<K, V> {
    fn read(&self, (key, value): &Entry) -> Result<(K, V)> {
        let key = key.get(self.own..).and_then(K::read);
        let key = key.ok_or(crate::__failure!(code::BAD_STATE, "a stored key has another type"))?;
        Ok((key, decode(value)?))
    }
}

impl<K: Key, V: Decode> Iterator for Entries<K, V> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Result<(K, V)>> {
        let read = self.pages.next().and_then(|entry| entry.map(|entry| self.read(&entry)).transpose());
        if read.is_err() {
            self.pages.end();
        }
        read.transpose()
    }
}

/// Elements of a set in order, as [`Entries`].
#[derive(Debug)]
pub struct Keys<K>(pub(super) Entries<K, ()>);

impl<K: Key> Iterator for Keys<K> {
    type Item = Result<K>;

    fn next(&mut self) -> Option<Result<K>> {
        Some(self.0.next()?.map(|(key, ())| key))
    }
}
