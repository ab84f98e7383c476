//! Breadth-first through everything that can happen, so that the first fault found is the
//! shortest way to one.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::{Duration, Instant};

use super::moves::{Kind, Model, Moves, is_needless_question, is_settled};
use super::trace::Move;
use super::world::World;

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// How many different worlds there are.
    pub states: usize,
    /// How many moves lead from one to another.
    pub moves: usize,
    /// How many of the worlds are settled.
    pub settled: usize,
    /// In how many a person is asked about something that shows.
    pub needless_questions: usize,
    /// The shortest way to a thing that happened twice.
    pub twice: Option<Vec<String>>,
    /// The shortest way to a world that never settles, even if nothing goes wrong any more.
    pub stuck: Option<Vec<String>>,
    /// How long it took.
    pub took: Duration,
}

/// Searches everything, or as far as the first thing that happens twice.
pub fn search(model: &Model) -> Found {
    let begun = Instant::now();
    let mut search = Search { model, worlds: Vec::new(), before: Vec::new(), index: Index::default() };
    search.reach(World::new(model.left, model.kinds.contains(&Kind::CreateUnderKey)), 0);
    let (mut backwards, mut moves, mut twice) = (Vec::new(), 0, None);
    let mut at = 0;
    while at < search.worlds.len() && twice.is_none() {
        for (what, to, _) in search.moves_from(at) {
            let next = search.reach(to, at);
            moves += 1;
            if !what.is_fault() {
                backwards.push((next, u32::try_from(at).unwrap()));
            }
            if to.server.made.iter().any(|made| *made > 1) && twice.is_none() {
                twice = Some(search.trace(next as usize));
            }
        }
        at += 1;
    }
    let settled: Vec<_> = (0..search.worlds.len()).filter(|at| is_settled(model, &search.worlds[*at])).collect();
    let stuck = if twice.is_none() { search.stuck(&settled, backwards) } else { None };
    Found {
        states: search.worlds.len(),
        moves,
        settled: settled.len(),
        needless_questions: search.worlds.iter().filter(|world| is_needless_question(world)).count(),
        twice,
        stuck: stuck.map(|at| search.trace(at)),
        took: begun.elapsed(),
    }
}

type Index = HashMap<World, u32, BuildHasherDefault<Quick>>;

struct Search<'a> {
    model: &'a Model,
    worlds: Vec<World>,
    /// From which world each was reached first.
    before: Vec<u32>,
    index: Index,
}

impl Search<'_> {
    fn moves_from(&self, at: usize) -> Vec<(Move, World, bool)> {
        let mut moves = Moves { model: self.model, from: self.worlds[at], found: Vec::new() };
        moves.collect();
        moves.found
    }

    fn reach(&mut self, world: World, from: usize) -> u32 {
        let next = u32::try_from(self.worlds.len()).unwrap();
        let at = *self.index.entry(world).or_insert(next);
        if at == next {
            self.worlds.push(world);
            self.before.push(u32::try_from(from).unwrap());
        }
        at
    }

    /// The first world from which none of the settled ones can be reached.
    fn stuck(&self, settled: &[usize], mut backwards: Vec<(u32, u32)>) -> Option<usize> {
        backwards.sort_unstable();
        let mut has_exit = vec![false; self.worlds.len()];
        let mut open: Vec<u32> = settled.iter().map(|at| u32::try_from(*at).unwrap()).collect();
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut has_exit[at as usize], true) {
                continue;
            }
            let first = backwards.partition_point(|(to, _)| *to < at);
            let into = backwards[first..].iter().take_while(|(to, _)| *to == at);
            open.extend(into.map(|(_, from)| *from).filter(|from| !has_exit[*from as usize]));
        }
        has_exit.iter().position(|has_exit| !has_exit)
    }

    /// How a world was reached, a line a move. Worlds are kept in one of two mirrored forms;
    /// here each replica keeps its name.
    fn trace(&self, mut at: usize) -> Vec<String> {
        let mut way = vec![at];
        while at != 0 {
            at = self.before[at] as usize;
            way.push(at);
        }
        way.reverse();
        let mut is_mirrored = false;
        let steps = way.windows(2).map(|pair| {
            let to = self.worlds[pair[1]];
            let (what, _, turned) = self.moves_from(pair[0]).into_iter().find(|(_, next, _)| *next == to).unwrap();
            let line = if is_mirrored { what.mirrored() } else { what }.to_string();
            is_mirrored ^= turned;
            line
        });
        steps.collect()
    }
}

/// A quick hash of small numbers; nobody chooses worlds to collide.
#[derive(Debug, Default)]
pub struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.cast_unsigned() as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}
