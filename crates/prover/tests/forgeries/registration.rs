//! Weights that do not keep what the program declares, registered all the same.

use std::sync::Arc;

use veridical_argument::plan::{Definition, Fill, NormPart, Plan, Wire, WireId};
use veridical_argument::profile::Profile;
use veridical_argument::statement::Registration;
use veridical_program::{ConstData, ConstKind, Op, Program};
use veridical_prover::cheat;
use veridical_prover::values::{Integers, Values};
use veridical_prover::{WeightCommitment, register};
use veridical_verifier::verify_registration;

use crate::Forgery;
use crate::case::{ACCEPTED, residue};
use crate::support::Builder;

pub const FORGERIES: &[Forgery] = &[
    Forgery {
        number: "61a",
        lie: "registration: a weight of 16 bits is 32768",
        check: "LookupSum",
        tell: || linear().weight(0, 3, 32_768),
    },
    Forgery {
        number: "61b",
        lie: "registration: a row exceeds the upper end of its range by one",
        check: "LookupSum",
        tell: || linear().shifted(1, 0, 1),
    },
    Forgery {
        number: "61c",
        lie: "registration: a row exceeds the lower end of its range by one",
        check: "LookupSum",
        tell: || linear().shifted(1, 0, -1),
    },
    Forgery {
        number: "61d",
        lie: "registration: magnitudes of a row above what its range allows",
        check: "LookupSum",
        tell: wrapping_row,
    },
    Forgery {
        number: "61e",
        lie: "registration: positive part of a weight too small",
        check: "LookupSum",
        tell: || linear().witness("positive part", 0, -1),
    },
    Forgery {
        number: "61f",
        lie: "registration: borrow of a row too large",
        check: "LookupSum",
        tell: || linear().witness("borrow", 0, 1),
    },
    Forgery {
        number: "61g",
        lie: "registration: a row of a padded convolution exceeds its range by one",
        check: "LookupSum",
        tell: || conv().shifted(1, 0, 1),
    },
    Forgery {
        number: "61h",
        lie: "registration: a gain exceeds its range",
        check: "LookupSum",
        tell: || affine().shifted(0, 0, 1),
    },
    Forgery {
        number: "61i",
        lie: "registration: an element of a gather exceeds its range by one",
        check: "LookupSum",
        tell: || gather().shifted(0, 1, 1),
    },
    Forgery {
        number: "62a",
        lie: "registration: a row exceeds its bound by the norm by one",
        check: "LookupSum",
        tell: || normed().shifted(1, 0, 1),
    },
    Forgery {
        number: "62b",
        lie: "registration: root of a norm too small",
        check: "ZeroCheckFinal",
        tell: || normed().norm(NormPart::Root(0), -1),
    },
    Forgery {
        number: "62c",
        lie: "registration: square of a weight too small",
        check: "LookupSum",
        tell: || normed().witness("square", 0, -1),
    },
    Forgery {
        number: "62d",
        lie: "registration: bound by the interval chosen, and nothing bounded",
        check: "ZeroCheckFinal",
        tell: unbounded_choice,
    },
    Forgery {
        number: "62e",
        lie: "registration: half of the magnitudes too small",
        check: "LookupSum",
        tell: || normed().witness("half of the magnitudes", 0, -1),
    },
    Forgery {
        number: "63a",
        lie: "registration: another root of weights than the proven one",
        check: "LookupLayer",
        tell: other_root,
    },
    Forgery {
        number: "63b",
        lie: "registration: other weights are opened than those of the root",
        check: "Opening",
        tell: other_tree,
    },
    Forgery {
        number: "63c",
        lie: "registration: under another profile",
        check: "ProofOfWork",
        tell: other_profile,
    },
    Forgery {
        number: "63d",
        lie: "registration: record of another model",
        check: "ModelDigest",
        tell: other_model,
    },
    Forgery {
        number: "63e",
        lie: "registration: proof of another model of the same shapes",
        check: "LookupLayer",
        tell: same_shapes,
    },
];

/// A program whose ranges are tight, registered honestly.
struct Case {
    program: Arc<Program>,
    plan: Plan,
    weights: WeightCommitment,
    proof: Vec<u8>,
}

fn publish(mut b: Builder) -> Case {
    let last = b.tensors() - 1;
    b.output(last);
    let program = b.build();
    let weights = WeightCommitment::new(&program, Profile::STANDARD).unwrap();
    let proof = register(&program, &weights, &mut |_| {}).unwrap();
    let case = Case {
        plan: Plan::registration(&program).unwrap(),
        program,
        weights,
        proof,
    };
    let honest = case.judge(case.weights.registration(), &case.proof);
    assert_eq!(honest, ACCEPTED, "an honest registration");
    case
}

/// Two rows; the first attains both ends of the range.
fn linear() -> Case {
    publish(linear_with([100, -50, 7, 3, 4, -5]))
}

fn linear_with(rows: [i16; 6]) -> Builder {
    let mut b = Builder::new(1);
    let x = b.input(&[3], -100, 300);
    let w = ConstData::I16(rows.to_vec().into());
    let w = b.constant(ConstKind::Weight, &[2, 3], w);
    let bias = ConstData::I32(vec![11, -13].into());
    let bias = b.constant(ConstKind::Weight, &[2], bias);
    // 107 * 300 + 50 * 100 + 11, 107 * -100 - 50 * 300 + 11.
    b.node(Op::Linear, &[x], &[w, bias], &[2], (-25_689, 37_111));
    b
}

fn conv() -> Case {
    let mut b = Builder::new(1);
    let x = b.input(&[1, 3, 3], 5, 90);
    let w = ConstData::I8(vec![3, -2, 1, 4].into());
    let w = b.constant(ConstKind::Weight, &[1, 1, 2, 2], w);
    let bias = b.constant(ConstKind::Weight, &[1], ConstData::I32(vec![9].into()));
    let window = veridical_program::Window {
        kernel: [2, 2],
        stride: [1, 1],
        pad: [1, 0, 0, 0],
        dilation: [1, 1],
    };
    let op = Op::Conv { window, groups: 1 };
    // With 0, which the padding contributes.
    b.node(op, &[x], &[w, bias], &[1, 3, 2], (-171, 729));
    publish(b)
}

fn affine() -> Case {
    let mut b = Builder::new(1);
    let x = b.input(&[2], -10, 10);
    let gain = ConstData::I32(vec![70_000, -3].into());
    let gain = b.constant(ConstKind::Weight, &[2], gain);
    let offset = b.constant(ConstKind::Weight, &[1], ConstData::I32(vec![5].into()));
    b.node(Op::Affine, &[x], &[gain, offset], &[2], (-699_995, 700_005));
    publish(b)
}

fn gather() -> Case {
    let mut b = Builder::new(1);
    let ids = b.input(&[2], 0, 2);
    let w = ConstData::I16(vec![-7, 40, 3].into());
    let w = b.constant(ConstKind::Weight, &[3], w);
    b.node(Op::Gather, &[ids], &[w], &[2], (-7, 40));
    publish(b)
}

/// A row behind a normalised operand, whose range is that of its norm.
fn normed() -> Case {
    let mut b = Builder::new(1);
    let x = b.input(&[4], -3000, 3000);
    let n = b.layernorm(x, 16, 8, true);
    let w = ConstData::I16(vec![900, -700, 31, 2].into());
    let w = b.constant(ConstKind::Weight, &[1, 4], w);
    let bias = b.constant(ConstKind::Weight, &[1], ConstData::I32(vec![5].into()));
    // Q = 4 * 2^16, sum of squares 1300965, sum of magnitudes 1633.
    let bound = 583_987 + 817;
    b.node(Op::Linear, &[n], &[w, bias], &[1], (5 - bound, 5 + bound));
    publish(b)
}

impl Case {
    fn judge(&self, registration: &Registration, proof: &[u8]) -> &'static str {
        let key = Program::from_bytes(&self.program.to_vkey_bytes()).unwrap();
        match verify_registration(&key, registration, proof) {
            Ok(_) => ACCEPTED,
            Err(error) => error.name(),
        }
    }

    /// Registers with other integers in some wires, and in the consts behind them.
    fn told(&self, change: &mut dyn FnMut(Told<'_>)) -> &'static str {
        let mut other = |constant: usize, x: &mut Vec<i32>| change(Told::Const(constant, x));
        let weights =
            WeightCommitment::of_other(&self.program, Profile::STANDARD, &mut other).unwrap();
        let mut wires = |wire: WireId, x: &mut Vec<i32>| match self
            .plan
            .wire(wire)
            .map(|wire| &wire.definition)
        {
            Some(Definition::Weight { constant }) => change(Told::Const(*constant, x)),
            _ => change(Told::Wire(wire, x)),
        };
        let forged = cheat::register(&self.program, &self.plan, &weights, &mut wires).unwrap();
        assert!(forged.stopped.is_none(), "{:?}", forged.stopped);
        self.judge(weights.registration(), &forged.bytes)
    }

    /// Registers with this integer in a const.
    fn weight(&self, constant: usize, cell: usize, value: i32) -> &'static str {
        self.told(&mut |told| {
            if let Told::Const(id, x) = told
                && id == constant
            {
                x[cell] = value;
            }
        })
    }

    fn shifted(&self, constant: usize, cell: usize, by: i32) -> &'static str {
        let value = self.program.constant(constant).unwrap().get(cell).unwrap();
        self.weight(constant, cell, value + by)
    }

    fn changed(&self, wire: WireId, cell: usize, by: i64) -> &'static str {
        self.told(&mut |told| {
            if let Told::Wire(id, x) = told
                && id == wire
            {
                x[cell] = residue(i64::from(x[cell]) + by);
            }
        })
    }

    /// Changes the first wire for a purpose.
    fn witness(&self, what: &str, cell: usize, by: i64) -> &'static str {
        let is_witness = |wire: &Wire| {
            wire.role.what == what && matches!(wire.definition, Definition::Witness { .. })
        };
        let at = self.plan.wires.iter().position(is_witness).unwrap();
        self.changed(WireId(at), cell, by)
    }

    /// Changes a quantity of the norm; everything that is computed from it follows.
    fn norm(&self, wanted: NormPart, by: i64) -> &'static str {
        let fill = |wire: &Wire| match &wire.definition {
            Definition::Witness {
                fill: Fill::Norm { limb },
            } => limb.part == wanted,
            _ => false,
        };
        let at = self.plan.wires.iter().position(fill).unwrap();
        let values = Values::of_weights(&self.plan, &self.program).unwrap();
        let Some(Integers::I32(root)) = values.integers(WireId(at)) else {
            panic!("a limb has 32 bits");
        };
        assert!(root[0] > 0, "nothing to take away");
        self.changed(WireId(at), 0, by)
    }
}

/// What a liar may change.
enum Told<'a> {
    Const(usize, &'a mut Vec<i32>),
    Wire(WireId, &'a mut Vec<i32>),
}

/// The largest weights that there are.
fn wrapping_row() -> &'static str {
    let case = linear();
    case.told(&mut |told| {
        if let Told::Const(0, x) = told {
            x[..3].copy_from_slice(&[32_767, -32_768, 32_767]);
        }
    })
}

fn unbounded_choice() -> &'static str {
    let case = normed();
    let limb = |wire: &Wire| {
        matches!(
            wire.definition,
            Definition::Witness {
                fill: Fill::Norm { .. }
            }
        )
    };
    let is_choice = |id: usize| case.plan.wires[id].role.what == "choice of a bound";
    let is_chosen = |id: usize| case.plan.wires[id].role.what == "magnitudes by the interval";
    case.told(&mut |told| {
        let Told::Wire(WireId(id), x) = told else {
            return;
        };
        if is_choice(id) {
            x[0] = 1;
        } else if limb(&case.plan.wires[id]) || is_chosen(id) {
            x[0] = 0;
        }
    })
}

fn other_root() -> &'static str {
    let case = linear();
    let mut registration = *case.weights.registration();
    if let Some(root) = &mut registration.weight_root {
        root.0[0] ^= 1;
    }
    case.judge(&registration, &case.proof)
}

/// The wires hold weights in range; the tree behind the root holds one that is not.
fn other_tree() -> &'static str {
    let case = linear();
    let mut change = |constant: usize, x: &mut Vec<i32>| {
        if constant == 0 {
            x[0] += 1000;
        }
    };
    let bad = WeightCommitment::of_other(&case.program, Profile::STANDARD, &mut change).unwrap();
    let weights = case.weights.posing_as(*bad.registration());
    let forged = cheat::register(&case.program, &case.plan, &weights, &mut |_, _| {}).unwrap();
    case.judge(bad.registration(), &forged.bytes)
}

fn other_profile() -> &'static str {
    let case = linear();
    let registration = Registration {
        profile: Profile::STRONG,
        ..*case.weights.registration()
    };
    case.judge(&registration, &case.proof)
}

fn other_model() -> &'static str {
    let case = linear();
    let registration = Registration {
        model_digest: [7; 32],
        ..*case.weights.registration()
    };
    case.judge(&registration, &case.proof)
}

fn same_shapes() -> &'static str {
    let (case, other) = (linear(), publish(linear_with([99, -50, 7, 3, 4, -5])));
    let registration = Registration {
        model_digest: *other.program.digest(),
        ..*case.weights.registration()
    };
    other.judge(&registration, &case.proof)
}
