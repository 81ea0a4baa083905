//! Sets of used quads against the slots of real cells.

use veridical_argument::multilinear::{padded_indices, shape_variables};

use super::plans::odd_shapes;
use crate::gkr::lanes::LANE_BITS;
use crate::gkr::used::{UNIT_BITS, Units, Used, slots};

/// Whether each of `2^variables` numbers is a member.
fn members(used: &Used, variables: usize) -> Vec<bool> {
    let bit = |number: usize| used.word(number / 32) >> (number % 32) & 1 == 1;
    (0..1 << variables).map(bit).collect()
}

#[test]
fn a_quad_is_used_where_a_real_cell_is_below() {
    for shape in odd_shapes(60, 14, 3) {
        let block = shape_variables(&shape).max(UNIT_BITS);
        // One more block of this size before, which is empty.
        let (variables, start) = (block + 1, 1 << block);
        let mut units = Units::new(variables);
        units.add_space(start, &shape);
        let usage = units.usage(variables);
        for level in LANE_BITS..=variables - 2 {
            let per_quad = 1 << (variables - level + LANE_BITS);
            let used = usage.of(level);
            let mut expected = vec![false; 1 << (level - LANE_BITS)];
            for slot in padded_indices(&shape) {
                expected[(start + slot) / per_quad] = true;
            }
            assert_eq!(members(used, level - LANE_BITS), expected, "{shape:?}");
            let count = expected.iter().filter(|&&is_used| is_used).count();
            assert_eq!(used.count(), count);
        }
        let units = usage.of(variables - 2).count();
        if shape_variables(&shape) >= UNIT_BITS {
            assert_eq!(units << UNIT_BITS, slots(&shape), "{shape:?}");
        }
    }
}

#[test]
fn pairs_are_those_of_two_tables() {
    let mut units = Units::new(UNIT_BITS + 8);
    let unit = |number: usize| number << UNIT_BITS;
    for (start, end) in [(3, 4), (7, 12), (31, 33), (64, 128), (131, 132), (250, 256)] {
        units.add(unit(start), unit(end));
    }
    let usage = units.usage(UNIT_BITS + 8);
    let used = usage.of(UNIT_BITS + 6);
    let is_member = members(used, 8);
    let numbers: Vec<usize> = (0..256).filter(|&number| is_member[number]).collect();
    assert_eq!(numbers.len(), used.count());
    let other = usize::MAX;
    let named = |number: usize| if is_member[number] { number } else { other };
    for word in 0..used.words() / 2 {
        let expected: Vec<(usize, usize)> = (32 * word..32 * (word + 1))
            .map(|pair| (named(2 * pair), named(2 * pair + 1)))
            .filter(|&pair| pair != (other, other))
            .collect();
        let from = &numbers[used.before(2 * word)..];
        let pairs = used.pairs(word, from, &other).map(|(&a, &b)| (a, b));
        assert_eq!(pairs.collect::<Vec<_>>(), expected);
    }
    let mut cut = numbers.clone();
    let parts = used.cut(&mut cut, 2);
    for (at, part) in parts.iter().enumerate() {
        assert!(part.iter().all(|number| number / 64 == at));
    }
    assert_eq!(parts.concat(), numbers);
}
