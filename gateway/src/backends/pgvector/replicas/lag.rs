//! How far a replica is behind its primary, told by positions in the write-ahead log alone: no clocks are compared, nothing is
//! written, and a primary that has nothing to say makes nobody late.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A search may be answered by a replica that is this far behind.
pub(super) const MOST_LAG: Duration = Duration::from_secs(1);
/// Positions that are kept; at four a second they reach a minute back, and who is further behind is said to be that.
const KEPT: usize = 240;

/// Where the primary was, and when it was last seen there.
#[derive(Debug, Default)]
pub(super) struct Positions {
    seen: VecDeque<(i64, Instant)>,
}

/// What a replica says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Replayed {
    /// The end of what it has replayed.
    pub(super) position: i64,
    /// Time since the last transaction that it replayed, 0 where it has replayed all that it has received.
    pub(super) own_lag: Duration,
}

impl Positions {
    /// The primary is here now.
    pub(super) fn add(&mut self, position: i64, now: Instant) {
        match self.seen.back_mut() {
            Some((last, at)) if *last == position => *at = now,
            // Another server took its place, without the end of the old one's log.
            Some((last, _)) if *last > position => {
                self.seen.clear();
                self.seen.push_back((position, now));
            }
            Some(_) | None => {
                if self.seen.len() >= KEPT {
                    self.seen.pop_front();
                }
                self.seen.push_back((position, now));
            }
        }
    }

    /// For how long, up to when the primary was last seen, it has had what the replica has not. `None`: that cannot be told yet.
    ///
    /// While the primary is away nobody falls further behind. Where it was never seen, the replica's own word counts: that knows of
    /// nothing which did not reach it.
    pub(super) fn lag(&self, replica: Replayed) -> Option<Duration> {
        let Some((_, newest)) = self.seen.back() else { return Some(replica.own_lag) };
        let reached = self.seen.iter().rev().find(|(position, _)| *position <= replica.position);
        if let Some((_, at)) = reached {
            return Some(newest.duration_since(*at));
        }
        let (_, oldest) = self.seen.front()?;
        let least = newest.duration_since(*oldest);
        (least > MOST_LAG).then_some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replayed(position: i64) -> Replayed {
        Replayed { position, own_lag: Duration::from_secs(7) }
    }

    fn positions(seen: &[(i64, u64)]) -> Positions {
        let begin = Instant::now();
        let mut positions = Positions::default();
        for (position, at_ms) in seen {
            positions.add(*position, begin + Duration::from_millis(*at_ms));
        }
        positions
    }

    #[test]
    fn a_replica_is_as_late_as_the_first_position_that_it_lacks() {
        let positions = positions(&[(100, 0), (200, 250), (300, 500), (400, 2_000)]);
        let lag_ms = |position| positions.lag(replayed(position)).map(|lag| lag.as_millis());
        assert_eq!([400, 500, 399, 300, 250, 100].map(lag_ms), [0, 0, 1_500, 1_500, 1_750, 2_000].map(Some));
    }

    #[test]
    fn an_idle_primary_makes_nobody_late() {
        let positions = positions(&[(100, 0), (100, 60_000)]);
        assert_eq!(positions.lag(replayed(100)), Some(Duration::ZERO));
    }

    #[test]
    fn who_is_behind_all_that_is_known_is_late_only_once_that_reaches_back_far_enough() {
        assert_eq!(positions(&[(100, 0)]).lag(replayed(50)), None);
        assert_eq!(positions(&[(100, 0), (200, 900)]).lag(replayed(50)), None);
        assert_eq!(positions(&[(100, 0), (200, 1_500)]).lag(replayed(50)), Some(Duration::from_millis(1_500)));
    }

    #[test]
    fn a_primary_that_was_never_seen_leaves_the_replica_to_judge_itself() {
        assert_eq!(Positions::default().lag(replayed(50)), Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_primary_that_went_back_is_another_one() {
        let positions = positions(&[(100, 0), (900, 2_000), (500, 4_000)]);
        assert_eq!(positions.lag(replayed(500)), Some(Duration::ZERO));
        assert_eq!(positions.lag(replayed(400)), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut positions = Positions::default();
        let begin = Instant::now();
        for n in 0..10_000_u32 {
            positions.add(i64::from(n), begin + Duration::from_millis(250) * n);
        }
        assert_eq!(positions.seen.len(), KEPT);
        assert!(positions.lag(replayed(1)).is_some_and(|lag| lag > Duration::from_secs(59)));
    }
}
