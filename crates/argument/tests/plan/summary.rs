//! A plan as text.

use std::fmt::Write;

use veridical_argument::plan::{
    Combination, Definition, Factor, Fill, Labels, Plan, Scaled, Table,
};

pub fn summary(plan: &Plan) -> String {
    let mut text = String::new();
    for (id, wire) in plan.wires.iter().enumerate() {
        let tensor = wire
            .tensor
            .map_or(String::new(), |t| format!(" = tensor {t}"));
        let definition = definition(&wire.definition);
        writeln!(text, "w{id} {:?} {definition}{tensor}", wire.shape).unwrap();
    }
    for (id, table) in plan.tables.iter().enumerate() {
        let name = match table.table {
            Table::Range { bits } => format!("R{bits}"),
            Table::Constant { constant } => format!("const {constant}"),
            Table::Zero => "zero".to_owned(),
            Table::Below { rows } => format!("below {rows}"),
            Table::Formula { formula, bits } => format!("{formula:?} {bits}"),
            Table::Weight { constant, wire } => format!("weight {constant} w{}", wire.0),
        };
        writeln!(
            text,
            "table {} {name} {} rows w{}",
            id + 1,
            table.rows,
            table.multiplicity.0
        )
        .unwrap();
    }
    for site in &plan.sites {
        let tuple: Vec<String> = site.tuple.iter().map(scaled).collect();
        write!(text, "site {:?} ({})", site.shape, tuple.join(", ")).unwrap();
        for zero in &site.vanishing {
            write!(text, ", {} = 0", scaled(zero)).unwrap();
        }
        writeln!(text, " {}", site.role.what).unwrap();
    }
    for identity in &plan.identities {
        let terms: Vec<String> = identity
            .terms
            .iter()
            .map(|term| {
                let factors: Vec<String> =
                    term.factors.iter().map(|w| format!("w{}", w.0)).collect();
                format!("{} {}", term.coeff, factors.join(" "))
            })
            .collect();
        writeln!(
            text,
            "identity {:?} {} = 0",
            identity.shape,
            terms.join(" + ")
        )
        .unwrap();
    }
    let outputs: Vec<String> = plan
        .outputs
        .iter()
        .map(|o| format!("w{}", o.wire.0))
        .collect();
    writeln!(text, "outputs {}", outputs.join(" ")).unwrap();
    text
}

fn definition(definition: &Definition) -> String {
    match definition {
        Definition::Public { tensor } => format!("public {tensor}"),
        Definition::One => "one".to_owned(),
        Definition::Iota => "iota".to_owned(),
        Definition::Witness { fill } => format!("witness {}", self::fill(fill)),
        Definition::Weight { constant } => format!("weight {constant}"),
        Definition::Combination(c) => combination(c),
        Definition::Sum { of, axes } => format!("sum w{} {axes:?}", of.0),
        Definition::View(view) => format!("view w{} {:?}", view.of.0, view.bits),
        Definition::Map { of, factors } => {
            let factors: Vec<String> = factors.iter().map(factor).collect();
            format!("map w{} {}", of.0, factors.join(" "))
        }
        Definition::Einsum { a, b, labels } => {
            let name = |&label: &u8| match label {
                Labels::UNIT => '.',
                label => char::from(b'a' + label % 26),
            };
            let [x, y, z] = [&labels.a, &labels.b, &labels.out]
                .map(|list| list.iter().map(name).collect::<String>());
            format!("einsum w{} w{} {x},{y}->{z}", a.0, b.0)
        }
    }
}

fn factor(factor: &Factor) -> String {
    match factor {
        Factor::Same { axes } => format!("same {axes}"),
        Factor::Related(pairs) => {
            let name = format!("{pairs:?}");
            let name = name.split([' ', '(']).next().unwrap().to_lowercase();
            format!("{name} {:?}->{:?}", pairs.from_shape(), pairs.to_shape())
        }
    }
}

fn fill(fill: &Fill) -> String {
    match fill {
        Fill::Tensor(tensor) => format!("tensor {tensor}"),
        Fill::Low { of, bits } => format!("{bits} bits of {}", scaled(of)),
        Fill::Floor { of } => format!("floor {}", scaled(of)),
        Fill::Product(a, b) => format!("w{} * w{}", a.0, b.0),
        Fill::AtLeast { of, bound } => format!("max(w{}, {bound})", of.0),
        Fill::Max { of, axes, .. } => format!("max w{} {axes:?}", of.0),
        Fill::First { of, axes, .. } => format!("first w{} {axes:?}", of.0),
        Fill::Quotient(a, b) => format!("w{} / w{}", a.0, b.0),
        Fill::Remainder(a, b) => format!("w{} mod w{}", a.0, b.0),
        Fill::Wide { limb } => format!("{:?}", limb.part),
        Fill::Norm { limb } => format!("{:?}", limb.part),
        Fill::Formula { of, formula } => format!("{formula:?} w{}", of.0),
        Fill::Ranks { of } => format!("ranks w{}", of.0),
        Fill::Positive(of) => format!("w{} > 0", of.0),
        Fill::Multiplicity { table } => format!("count of table {}", table + 1),
    }
}

fn combination(c: &Combination) -> String {
    let mut parts: Vec<String> = c
        .terms
        .iter()
        .map(|(k, w)| format!("{k} w{}", w.0))
        .collect();
    if c.constant != 0 || parts.is_empty() {
        parts.push(c.constant.to_string());
    }
    parts.join(" + ")
}

fn scaled(s: &Scaled) -> String {
    if s.shift == 0 {
        return combination(&s.combination);
    }
    format!("({}) / 2^{}", combination(&s.combination), s.shift)
}
