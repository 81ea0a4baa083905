//! Plans that no builder makes are found.

use veridical_argument::plan::{
    Combination, Defect, Definition, Factor, Fill, Identity, Labels, Plan, Role, Scaled, Table,
    Term, View, Wire, WireId,
};

use crate::support::Builder;

/// Softmax over products: it has every kind of wire but maps of ids.
fn plan() -> Plan {
    let mut b = Builder::new(5);
    let x = b.input(&[2, 6], -20, 20);
    let mask = b.input(&[1, 3], 0, 1);
    let y = b.linear(x, 5);
    let y = b.requantise(y, -100, 100);
    let split = b.reshape(y, &[5, 2]);
    let turned = b.transpose(split, &[1, 0]);
    let scores = b.matmul(turned, y, true);
    let padded = b.node(
        veridical_program::Op::Pad {
            before: vec![0, 1],
            after: vec![0, 0],
            value: 3,
        },
        &[scores],
        &[],
        &[2, 3],
        b.range(scores),
    );
    let e = b.softmax_numerator(padded, Some(mask), 100);
    b.output(e);
    let plan = Plan::build(&b.build(), 2).unwrap();
    assert_eq!(plan.check(), Ok(()));
    plan
}

/// The rule that a changed plan breaks.
fn broken(change: impl FnOnce(&mut Plan)) -> &'static str {
    let mut plan = plan();
    change(&mut plan);
    match plan.check().unwrap_err() {
        Defect::Wire { what, .. }
        | Defect::Site { what, .. }
        | Defect::Identity { what, .. }
        | Defect::Table { what, .. }
        | Defect::Output { what, .. } => what,
    }
}

fn wire(shape: &[usize], definition: Definition) -> Wire {
    Wire {
        shape: shape.to_vec(),
        definition,
        tensor: None,
        role: Role {
            node: 0,
            what: "test",
        },
    }
}

/// Appends a wire.
fn with(shape: &'static [usize], definition: Definition) -> &'static str {
    broken(|plan| plan.wires.push(wire(shape, definition)))
}

#[test]
fn of_wires() {
    let x = WireId(0);
    let later = WireId(10_000);
    assert_eq!(with(&[], Definition::One), "it has no cell");
    assert_eq!(with(&[3, 0], Definition::Iota), "it has no cell");
    assert_eq!(with(&[2], Definition::One), "the integer 1 has one cell");
    assert_eq!(
        with(&[2, 2], Definition::Iota),
        "positions run along one axis"
    );
    let sum = |of, axes| Definition::Sum { of, axes };
    assert_eq!(
        with(&[2, 2, 1], sum(later, vec![2])),
        "it refers to a later wire"
    );
    assert_eq!(
        with(&[2, 2, 1], sum(x, vec![])),
        "axes of a sum do not ascend"
    );
    assert_eq!(with(&[2, 2, 1], sum(x, vec![3])), "a sum has no such axis");
    assert_eq!(with(&[2, 2, 6], sum(x, vec![2])), "a sum has another shape");
    let view = |bits| Definition::View(View { of: x, bits });
    assert_eq!(
        with(&[2, 2, 7], view(vec![])),
        "a view changes the number of cells"
    );
    assert_eq!(
        with(&[2, 12], view(vec![0, 1, 2, 3, 3])),
        "a view is no permutation"
    );
    let map = |factors| Definition::Map { of: x, factors };
    let same = map(vec![Factor::Same { axes: 2 }]);
    assert_eq!(with(&[2, 2, 6], same), "factors do not cover the axes");
    let fill = Fill::Product(x, later);
    assert_eq!(
        with(&[2, 2, 6], Definition::Witness { fill }),
        "it refers to a later wire"
    );
    let fill = Fill::Positive(x);
    let witness = Definition::Witness { fill };
    assert_eq!(
        with(&[2, 2, 5], witness),
        "an operand does not fit the shape"
    );
    let combination =
        |terms: Vec<(i64, WireId)>| Definition::Combination(Combination { terms, constant: 0 });
    let space: &[usize] = &[2, 2, 6];
    let zero = "a coefficient is 0 or too large";
    assert_eq!(with(space, combination(vec![(0, x)])), zero);
    assert_eq!(with(space, combination(vec![(1 << 31, x)])), zero);
    assert_eq!(
        with(space, combination(vec![(1, x), (2, x)])),
        "a wire occurs twice"
    );
    assert_eq!(
        with(&[2, 2], combination(vec![(1, x)])),
        "a wire does not fit the space"
    );
    let constant = Definition::Combination(Combination {
        terms: vec![],
        constant: 1 << 40,
    });
    assert_eq!(with(space, constant), "a constant is too large");
}

#[test]
fn of_labels() {
    let einsum = |a: &[u8], b: &[u8], out: &[u8]| {
        let labels = Labels {
            a: a.to_vec(),
            b: b.to_vec(),
            out: out.to_vec(),
        };
        Definition::Einsum {
            a: WireId(0),
            b: WireId(0),
            labels,
        }
    };
    let unit = Labels::UNIT;
    let shape: &[usize] = &[2, 2];
    for (a, b, out, rule) in [
        (
            [0, 1, 2],
            [3, 1, 2],
            vec![0],
            "labels do not cover the axes",
        ),
        (
            [0, 1, unit],
            [3, 1, 2],
            vec![0, 3],
            "an axis of size 1 has a label",
        ),
        ([0, 1, 1], [3, 1, 2], vec![0, 3], "a label occurs twice"),
        (
            [0, 1, 2],
            [3, 1, 4],
            vec![0, 3],
            "a label of one operand is summed over",
        ),
        ([0, 1, 2], [3, 2, 1], vec![0, 3], "a label has two sizes"),
        (
            [0, 1, 2],
            [0, 1, 2],
            vec![0, 7],
            "a label of the result is in no operand",
        ),
        ([0, 1, 2], [0, 1, 2], vec![0, 2], "a label has two sizes"),
    ] {
        assert_eq!(
            with(shape, einsum(&a, &b, &out)),
            rule,
            "{a:?} {b:?} {out:?}"
        );
    }
}

/// Changes a plan at a site with a range and at one with a mask.
type Change = fn(&mut Plan, (usize, usize));

#[test]
fn of_sites() {
    let range = |plan: &Plan| {
        let position = plan.sites.iter().position(|s| s.tuple.len() == 2).unwrap();
        let mask = plan
            .sites
            .iter()
            .position(|s| !s.tuple[0].combination.terms.is_empty());
        (position, mask.unwrap())
    };
    let cases: [(Change, &str); 9] = [
        (|p, (i, _)| p.sites[i].shape = vec![], "it has no cell"),
        (|p, (i, _)| p.sites[i].tuple.clear(), "the tuple is empty"),
        (
            |p, (i, _)| p.sites[i].tuple[0].shift = 1,
            "a table id is divided",
        ),
        (
            |p, (i, _)| p.sites[i].tuple[0].combination.constant = 99,
            "no such table",
        ),
        (
            |p, (i, _)| p.sites[i].tuple.push(Scaled::default()),
            "the tuple has another length",
        ),
        (
            |p, (i, _)| p.sites[i].tuple[1].shift = 32,
            "a divisor exceeds 2^31",
        ),
        (
            |p, (i, _)| p.sites[i].shape.push(1),
            "a wire does not fit the space",
        ),
        (
            |p, (_, i)| p.sites[i].tuple[0].combination.terms[0].0 = 77,
            "no such table",
        ),
        (
            |p, (_, i)| {
                let shift = 1 - p.sites[i].tuple[0].combination.constant;
                let range = p
                    .tables
                    .iter()
                    .position(|t| matches!(t.table, Table::Range { .. }));
                let range = i64::try_from(range.unwrap()).unwrap();
                p.sites[i].tuple[0].combination.terms[0].0 = range + shift;
            },
            "the tuple has another length",
        ),
    ];
    for (change, rule) in cases {
        let actual = broken(|plan| change(plan, range(plan)));
        assert_eq!(actual, rule);
    }
}

#[test]
fn of_identities_tables_and_outputs() {
    let identity = |terms: Vec<Term>| {
        broken(|plan| {
            let role = Role {
                node: 0,
                what: "test",
            };
            let shape = plan.wires[0].shape.clone();
            plan.identities.push(Identity { shape, terms, role });
        })
    };
    let term = |coeff, factors: &[usize]| Term {
        coeff,
        factors: factors.iter().map(|&id| WireId(id)).collect(),
    };
    assert_eq!(identity(vec![]), "it has no term");
    assert_eq!(
        identity(vec![term(0, &[0])]),
        "a coefficient is 0 or too large"
    );
    assert_eq!(
        identity(vec![term(1, &[])]),
        "a term has no or many factors"
    );
    assert_eq!(
        identity(vec![term(1, &[0; 4])]),
        "a term has no or many factors"
    );
    assert_eq!(identity(vec![term(1, &[9999])]), "no such wire");
    assert_eq!(
        identity(vec![term(1, &[0, 1])]),
        "a wire does not fit the space"
    );

    assert_eq!(
        broken(|p| p.tables[0].rows += 1),
        "multiplicities have another shape"
    );
    assert_eq!(
        broken(|p| {
            let first = p.tables[0];
            p.tables[1] = first;
        }),
        "multiplicities are counted elsewhere"
    );
    let rule = broken(|p| {
        let table = p
            .tables
            .iter_mut()
            .find(|t| matches!(t.table, Table::Range { .. }));
        table.unwrap().table = Table::Range { bits: 17 };
    });
    assert_eq!(rule, "a range has another number of rows");
    let rule = broken(|p| {
        let mut tables = p.tables.iter_mut();
        let table = tables.find(|t| matches!(t.table, Table::Constant { .. }));
        table.unwrap().table = Table::Zero;
    });
    assert_eq!(rule, "the zero table has one row");
    assert_eq!(broken(|p| p.outputs[0].wire = WireId(9999)), "no such wire");
}
