//! Plans made by hand, with their tensors.

use veridical_argument::plan::{
    Combination, Definition, Fill, Plan, Published, Role, Scaled, Site, Table, TableUse, Wire,
    WireId,
};
use veridical_program::ConstData;

use super::naive;
use crate::values::{Integers, Source, Values, ValuesError};

pub const ROLE: Role = Role {
    node: 0,
    what: "test",
};

/// A plan in the making.
#[derive(Debug, Clone)]
pub struct Sketch {
    pub plan: Plan,
    pub tensors: Vec<Vec<i32>>,
    pub constants: Vec<ConstData>,
    pub random: Random,
}

/// A linear congruential generator.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform enough, both ends included.
    pub fn between(&mut self, lo: i64, hi: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        lo + i64::try_from(self.0 >> 31).unwrap() % (hi - lo + 1)
    }

    pub fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.between(0, i64::try_from(n).unwrap() - 1)).unwrap()
    }

    pub fn integers(&mut self, n: usize, lo: i64, hi: i64) -> Vec<i32> {
        (0..n)
            .map(|_| i32::try_from(self.between(lo, hi)).unwrap())
            .collect()
    }
}

impl Sketch {
    pub fn new(seed: u64) -> Self {
        Self {
            plan: Plan {
                batch: 1,
                wires: vec![],
                tables: vec![],
                sites: vec![],
                identities: vec![],
                outputs: vec![],
            },
            tensors: vec![],
            constants: vec![],
            random: Random::new(seed),
        }
    }

    pub fn wire(&mut self, shape: &[usize], definition: Definition) -> WireId {
        self.plan.wires.push(Wire {
            shape: shape.to_vec(),
            definition,
            tensor: None,
            role: ROLE,
        });
        WireId(self.plan.wires.len() - 1)
    }

    pub fn witness(&mut self, shape: &[usize], fill: Fill) -> WireId {
        self.wire(shape, Definition::Witness { fill })
    }

    /// A committed tensor with the given integers.
    pub fn given(&mut self, shape: &[usize], integers: Vec<i32>) -> WireId {
        assert_eq!(integers.len(), shape.iter().product::<usize>());
        self.tensors.push(integers);
        self.witness(shape, Fill::Tensor(self.tensors.len() - 1))
    }

    /// A committed tensor of random integers.
    pub fn random(&mut self, shape: &[usize], lo: i64, hi: i64) -> WireId {
        let integers = self.random.integers(shape.iter().product(), lo, hi);
        self.given(shape, integers)
    }

    pub fn combination(
        &mut self,
        shape: &[usize],
        terms: &[(i64, WireId)],
        constant: i64,
    ) -> WireId {
        self.wire(shape, Definition::Combination(combination(terms, constant)))
    }

    pub fn output(&mut self, wire: WireId) {
        self.plan.outputs.push(Published { output: 0, wire });
    }

    /// A table; its id in tuples.
    pub fn table(&mut self, table: Table, rows: usize) -> i64 {
        let number = self.plan.tables.len();
        let multiplicity = self.witness(&[rows], Fill::Multiplicity { table: number });
        self.plan.tables.push(TableUse {
            table,
            rows,
            multiplicity,
        });
        i64::try_from(number + 1).unwrap()
    }

    pub fn site(&mut self, shape: &[usize], tuple: Vec<Scaled>) {
        self.plan.sites.push(Site {
            shape: shape.to_vec(),
            tuple,
            vanishing: vec![],
            role: ROLE,
        });
    }

    pub fn source(&self) -> Source<'_> {
        Source {
            tensors: self.tensors.iter().map(Vec::as_slice).collect(),
            constants: self.constants.iter().map(Some).collect(),
        }
    }

    /// The integers that a proof needs.
    pub fn values(&self) -> Result<Values<'_>, ValuesError> {
        Values::from_source(&self.plan, self.source(), None)
    }

    /// Every wire, by the way of a prover whose overrides change nothing.
    pub fn all(&self) -> Vec<Vec<i32>> {
        let values = Values::from_source(&self.plan, self.source(), Some(&mut |_, _| ())).unwrap();
        (0..self.plan.wires.len())
            .map(|id| wide(values.integers(WireId(id)).unwrap()))
            .collect()
    }

    /// All wires, and those that a proof needs, are what the definitions say.
    pub fn check(&self) -> Vec<Vec<i32>> {
        let expected = naive::wires(&self.plan, &self.tensors, &self.constants);
        let all = self.all();
        for (id, (actual, expected)) in all.iter().zip(&expected).enumerate() {
            assert_eq!(actual, expected, "wire {id}: {:?}", self.plan.wires[id]);
        }
        let values = self.values().unwrap();
        for (id, expected) in expected.iter().enumerate() {
            if let Some(actual) = values.integers(WireId(id)) {
                assert_eq!(&wide(actual), expected, "needed wire {id}");
            }
        }
        all
    }

    /// As [`Sketch::check`]; the integers of the last wire.
    pub fn check_last(&self) -> Vec<i32> {
        self.check().pop().unwrap()
    }
}

pub fn combination(terms: &[(i64, WireId)], constant: i64) -> Combination {
    Combination {
        terms: terms.to_vec(),
        constant,
    }
}

pub fn scaled(terms: &[(i64, WireId)], constant: i64, shift: u32) -> Scaled {
    Scaled {
        combination: combination(terms, constant),
        shift,
    }
}

pub fn wide(integers: Integers<'_>) -> Vec<i32> {
    match integers {
        Integers::I8(x) => x.iter().map(|&x| x.into()).collect(),
        Integers::I16(x) => x.iter().map(|&x| x.into()).collect(),
        Integers::I32(x) => x.to_vec(),
    }
}
