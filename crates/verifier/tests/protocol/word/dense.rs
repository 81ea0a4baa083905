//! The protocol, step by step.

use std::collections::BTreeMap;

use p3_field::PrimeCharacteristicRing;
use veridical_argument::claims::{Claim, Ledger};
use veridical_argument::field::{EF, F};
use veridical_argument::formulas::einsum::{EinsumVariables, Operand};
use veridical_argument::formulas::expression::Sent;
use veridical_argument::formulas::map::MapVariables;
use veridical_argument::formulas::pairs;
use veridical_argument::formulas::table::table_id;
use veridical_argument::formulas::view::{sum_point, view_point};
use veridical_argument::formulas::zero_check::groups;
use veridical_argument::labels;
use veridical_argument::leaves::{Leaves, Of, site_wires, table_wires};
use veridical_argument::multilinear::{
    eq_table, evaluate_integers, padded_indices, restrict, shape_variables,
};
use veridical_argument::pcs::{Committed, MIN_VARIABLES};
use veridical_argument::plan::{
    Combination, Definition, Factor, Pairs, Plan, Scaled, Table, WireId,
};
use veridical_argument::profile::{PROTOCOL, Profile, Stack as Kind};
use veridical_argument::stack::{Stack, weight_stack, witness_stack};
use veridical_argument::statement::{Registration, Statement};
use veridical_argument::transcript::{ProverTranscript, Transcript};
use veridical_program::Program;

use super::layers::{Bind, fractional_sums, sumcheck};
use super::tables::{Integers, broadcast, evaluate, tables};

/// A message that a forger may change before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Sites,
    Tables,
    Zero,
    Merged,
    Combination,
    Mapped,
    Einsum,
    Stack,
}

/// Changes messages.
pub trait Forger {
    fn change(&mut self, step: Step, values: &mut [EF]);

    /// Told where an opening begins.
    fn opening(&mut self, _: usize) {}
}

/// Changes nothing.
pub struct Honest;

impl Forger for Honest {
    fn change(&mut self, _: Step, _: &mut [EF]) {}
}

struct Prover<'a, I, G> {
    plan: &'a Plan,
    program: &'a Program,
    integers: &'a I,
    forger: &'a mut G,
    tables: Vec<Vec<EF>>,
    transcript: ProverTranscript,
    ledger: Ledger,
}

/// Proves a statement with these integers of the witness, true or not.
pub fn prove<I: Integers, G: Forger>(
    plan: &Plan,
    program: &Program,
    statement: &Statement<'_>,
    integers: &I,
    forger: &mut G,
) -> Vec<u8> {
    let mut transcript = ProverTranscript::new(PROTOCOL);
    statement.absorb(&mut transcript);
    let (stack, wires) = witness_stack(plan, MIN_VARIABLES).expect("a stack");
    let columns: Vec<Vec<i32>> = wires.iter().map(|&wire| integers.witness(wire)).collect();
    let witness = commit(statement.profile, Kind::Witness, &stack, &columns);
    transcript.send_root(labels::WITNESS_ROOT, &witness.root());
    let work = usize::from(statement.profile.lookup_work);
    transcript.send_work(labels::LOOKUP_WORK, work);

    let mut prover = Prover {
        plan,
        program,
        integers,
        forger,
        tables: tables(plan, integers),
        transcript,
        ledger: Ledger::new(),
    };
    prover.lookup();
    prover.zero_check();
    for published in &plan.outputs {
        let shape = &plan.wires[published.wire.0].shape;
        let label = labels::OUTPUT_POINT;
        let point = prover.transcript.challenges(label, shape_variables(shape));
        let runs = statement.outputs.iter();
        let values: Vec<i32> = runs.flat_map(|run| run[published.output].clone()).collect();
        let value = evaluate_integers(&values, shape, &point);
        prover.claim(published.wire, point, value);
    }
    for id in (0..plan.wires.len()).rev() {
        prover.reduce(WireId(id));
    }
    if let Some((stack, consts, weights)) = commit_weights(program, statement.profile) {
        let constant = |wire: WireId| match plan.wires[wire.0].definition {
            Definition::Weight { constant } => Some(constant),
            _ => None,
        };
        let claims = prover.ledger.take_all(|wire| constant(wire).is_some());
        let tensor = |wire| consts.iter().position(|id| Some(*id) == constant(wire));
        prover.open(&stack, &weights, claims, tensor);
    }
    let claims = prover.ledger.take_all(|_| true);
    let tensor = |wire| wires.iter().position(|id| *id == wire);
    prover.open(&stack, &witness, claims, tensor);
    prover.transcript.finish()
}

fn commit(profile: Profile, kind: Kind, stack: &Stack, columns: &[Vec<i32>]) -> Committed {
    let mut elements = vec![F::ZERO; 1 << stack.variables()];
    for (tensor, column) in columns.iter().enumerate() {
        stack.scatter(tensor, column, &mut elements);
    }
    Committed::new(profile, kind, elements).expect("a commitment")
}

/// The stack of weights with its consts and its commitment.
fn commit_weights(program: &Program, profile: Profile) -> Option<(Stack, Vec<usize>, Committed)> {
    let (stack, consts) = weight_stack(program.graph(), MIN_VARIABLES).expect("a stack");
    let column = |&id: &usize| {
        let elements = program.constant(id).expect("a weight");
        (0..elements.len())
            .filter_map(|i| elements.get(i))
            .collect()
    };
    let columns: Vec<Vec<i32>> = consts.iter().map(column).collect();
    (!consts.is_empty()).then(|| {
        let committed = commit(profile, Kind::Weights, &stack, &columns);
        (stack, consts, committed)
    })
}

/// The registration of a program.
pub fn registration(program: &Program, profile: Profile) -> Registration {
    Registration {
        model_digest: *program.digest(),
        profile,
        weight_root: commit_weights(program, profile).map(|(_, _, committed)| committed.root()),
    }
}

impl<I: Integers, G: Forger> Prover<'_, I, G> {
    fn claim(&mut self, wire: WireId, point: Vec<EF>, value: EF) {
        // A forged value may contradict an earlier claim; that is for the verifier to find.
        self.ledger.add(Claim { wire, point, value }).ok();
    }

    fn send(&mut self, step: Step, label: &'static str, mut values: Vec<EF>) -> Vec<EF> {
        self.forger.change(step, &mut values);
        self.transcript.send(label, &values);
        values
    }

    fn shape(&self, wire: WireId) -> &[usize] {
        &self.plan.wires[wire.0].shape
    }

    fn at(&self, wire: WireId, point: &[EF]) -> EF {
        evaluate(&self.tables[wire.0], point)
    }

    /// Sends the evaluations of a schedule and makes them claims.
    fn send_all(&mut self, step: Step, label: &'static str, sent: &[Sent], point: &[EF]) {
        let values = sent
            .iter()
            .map(|sent| self.at(sent.wire, &sent.point(point)));
        let values = self.send(step, label, values.collect());
        for (sent, value) in sent.iter().zip(values) {
            self.claim(sent.wire, sent.point(point), value);
        }
    }

    /// A wire over a space.
    fn wide(&self, space: &[usize], wire: WireId) -> Vec<EF> {
        broadcast(space, (self.shape(wire), &self.tables[wire.0]))
    }

    fn scaled(&self, space: &[usize], scaled: &Scaled) -> Vec<EF> {
        let Combination { terms, constant } = &scaled.combination;
        let mut table = vec![EF::ZERO; 1 << shape_variables(space)];
        for cell in padded_indices(space) {
            table[cell] = EF::from(F::from_i64(*constant));
        }
        for &(coeff, wire) in terms {
            for (slot, value) in table.iter_mut().zip(self.wide(space, wire)) {
                *slot += value * F::from_i64(coeff);
            }
        }
        let scale = EF::ONE.div_2exp_u64(u64::from(scaled.shift));
        table.iter().map(|&value| value * scale).collect()
    }

    fn lookup(&mut self) {
        let challenges = self.transcript.challenges(labels::LOOKUP, 2);
        let (alpha, beta) = (challenges[0], challenges[1]);
        let leaves = Leaves::new(self.plan).expect("leaves");
        let mut numerators = vec![EF::ZERO; 1 << leaves.variables];
        let mut denominators = vec![EF::ONE; 1 << leaves.variables];
        for block in &leaves.blocks {
            let slots = block.start..block.start + (1 << block.variables);
            let (n, d) = (&mut numerators[slots.clone()], &mut denominators[slots]);
            match block.of {
                Of::Site(position) => {
                    let site = &self.plan.sites[position];
                    let columns: Vec<Vec<EF>> = site
                        .tuple
                        .iter()
                        .map(|column| self.scaled(&site.shape, column))
                        .collect();
                    for cell in padded_indices(&site.shape) {
                        let tuple = columns.iter().rev();
                        let tuple = tuple.fold(EF::ZERO, |sum, c| sum * beta + c[cell]);
                        n[cell] = EF::ONE;
                        d[cell] = alpha - tuple;
                    }
                }
                Of::Table(position) => {
                    let table = &self.plan.tables[position];
                    for row in 0..table.rows {
                        let second = match table.table {
                            Table::Range { .. } | Table::Zero | Table::Below { .. } => EF::ZERO,
                            Table::Formula { formula, bits } => {
                                EF::from_i32(formula.column(bits)[row])
                            }
                            Table::Constant { constant } => {
                                let elements = self.program.constant(constant);
                                EF::from_i32(elements.and_then(|e| e.get(row)).expect("a row"))
                            }
                            Table::Weight { wire, .. } => self.tables[wire.0][row],
                        };
                        let tuple = beta * F::from_usize(row) + beta.square() * second;
                        n[row] = -self.tables[table.multiplicity.0][row];
                        d[row] = alpha - tuple - table_id(position);
                    }
                }
            }
        }
        let rho = fractional_sums(&mut self.transcript, numerators, denominators);
        let sites = site_wires(self.plan, &leaves);
        self.send_all(Step::Sites, labels::SITE_VALUES, &sites, &rho);
        let tables = table_wires(self.plan, &leaves);
        self.send_all(Step::Tables, labels::TABLE_VALUES, &tables, &rho);
    }

    fn zero_check(&mut self) {
        for group in groups(self.plan) {
            let tau = self
                .transcript
                .challenges(labels::ZERO_POINT, group.variables);
            let lambda = self.transcript.challenge(labels::ZERO_FOLD);
            let mut tables = vec![eq_table(&tau)];
            let mut terms: Vec<(EF, Vec<usize>)> = Vec::new();
            let mut scale = EF::ONE;
            for &position in &group.identities {
                let identity = &self.plan.identities[position];
                for term in &identity.terms {
                    let start = tables.len();
                    for &wire in &term.factors {
                        tables.push(self.wide(&identity.shape, wire));
                    }
                    terms.push((
                        scale * F::from_i64(term.coeff),
                        (start..tables.len()).collect(),
                    ));
                }
                scale *= lambda;
            }
            let transcript = &mut self.transcript;
            let point = sumcheck(transcript, tables, group.degree, Bind::Highest, |v| {
                let products = terms.iter().map(|(coeff, factors)| {
                    *coeff * factors.iter().map(|&factor| v[factor]).product::<EF>()
                });
                v[0] * products.sum::<EF>()
            });
            self.send_all(Step::Zero, labels::ZERO_VALUES, &group.sent, &point);
        }
    }

    fn reduce(&mut self, id: WireId) {
        let plan = self.plan;
        let wire = &plan.wires[id.0];
        if matches!(
            wire.definition,
            Definition::Witness { .. } | Definition::Weight { .. }
        ) {
            return;
        }
        let claims = self.ledger.take(id);
        if matches!(
            wire.definition,
            Definition::Public { .. } | Definition::One | Definition::Iota
        ) {
            return;
        }
        let Some(Claim { point, value, .. }) = self.merge(id, claims) else {
            return;
        };
        match &wire.definition {
            Definition::Combination(sum) => {
                let points: Vec<Vec<EF>> = sum
                    .terms
                    .iter()
                    .map(|&(_, operand)| restrict(&wire.shape, self.shape(operand), &point).0)
                    .collect();
                let operands = sum.terms.iter().zip(&points);
                let values = operands.map(|(&(_, operand), point)| self.at(operand, point));
                let values = self.send(Step::Combination, labels::COMBINATION, values.collect());
                for ((&(_, operand), point), value) in sum.terms.iter().zip(points).zip(values) {
                    self.claim(operand, point, value);
                }
            }
            Definition::Sum { of, axes } => {
                let (point, halves) = sum_point(self.shape(*of), axes, &point);
                self.claim(*of, point, value.div_2exp_u64(halves as u64));
            }
            Definition::View(view) => self.claim(view.of, view_point(view, &point), value),
            Definition::Map { of, factors } => self.map(*of, factors, &point),
            Definition::Einsum { a, b, labels } => {
                let (a, b) = (*a, *b);
                let einsum =
                    EinsumVariables::new(labels, self.shape(a), self.shape(b), &wire.shape);
                let corners = corners(einsum.summed());
                let table = |operand, wire| -> Vec<EF> {
                    let points = corners
                        .iter()
                        .map(|c| einsum.operand_point(operand, &point, c));
                    points.map(|point| self.at(wire, &point)).collect()
                };
                let shared = corners
                    .iter()
                    .map(|c| einsum.shared_eq(&point, c))
                    .collect();
                let tables = vec![shared, table(Operand::A, a), table(Operand::B, b)];
                let transcript = &mut self.transcript;
                let at = sumcheck(transcript, tables, einsum.degree(), Bind::Highest, |v| {
                    v[0] * v[1] * v[2]
                });
                let a_point = einsum.operand_point(Operand::A, &point, &at);
                let b_point = einsum.operand_point(Operand::B, &point, &at);
                let values = vec![self.at(a, &a_point), self.at(b, &b_point)];
                let values = self.send(Step::Einsum, labels::EINSUM, values);
                self.claim(a, a_point, values[0]);
                self.claim(b, b_point, values[1]);
            }
            Definition::Public { .. }
            | Definition::One
            | Definition::Iota
            | Definition::Witness { .. }
            | Definition::Weight { .. } => {}
        }
    }

    fn merge(&mut self, id: WireId, claims: Vec<Claim>) -> Option<Claim> {
        if claims.len() < 2 {
            return claims.into_iter().next();
        }
        let gamma = self.transcript.challenge(labels::MERGE);
        let mut weights = vec![EF::ZERO; self.tables[id.0].len()];
        let mut scale = EF::ONE;
        for claim in &claims {
            for (slot, weight) in weights.iter_mut().zip(eq_table(&claim.point)) {
                *slot += weight * scale;
            }
            scale *= gamma;
        }
        let tables = vec![self.tables[id.0].clone(), weights];
        let point = sumcheck(&mut self.transcript, tables, 2, Bind::Highest, |v| {
            v[0] * v[1]
        });
        let value = self.at(id, &point);
        let value = self.send(Step::Merged, labels::MERGED, vec![value])[0];
        Some(Claim {
            wire: id,
            point,
            value,
        })
    }

    fn map(&mut self, of: WireId, factors: &[Factor], point: &[EF]) {
        let map = MapVariables::new(self.shape(of), factors);
        let ids = |pairs: &Pairs| match pairs {
            Pairs::Rows { ids, .. } => match self.plan.wires[ids.0].definition {
                Definition::Public { tensor } => self.integers.public(tensor),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let mut selectors = vec![EF::ONE];
        for (pairs, out) in map.related(point) {
            let column = pairs::column(pairs, out, &ids(pairs));
            let products = selectors.iter();
            selectors = products
                .flat_map(|&before| column.iter().map(move |&value| before * value))
                .collect();
        }
        let operand: Vec<EF> = corners(map.summed())
            .iter()
            .map(|corner| self.at(of, &map.operand_point(point, corner)))
            .collect();
        let transcript = &mut self.transcript;
        let at = sumcheck(
            transcript,
            vec![operand, selectors],
            2,
            Bind::Highest,
            |v| v[0] * v[1],
        );
        let point = map.operand_point(point, &at);
        let value = self.at(of, &point);
        let value = self.send(Step::Mapped, labels::MAPPED, vec![value])[0];
        self.claim(of, point, value);
    }

    fn open(
        &mut self,
        stack: &Stack,
        committed: &Committed,
        claims: Vec<Claim>,
        tensor: impl Fn(WireId) -> Option<usize>,
    ) {
        let mut known: BTreeMap<(usize, Vec<EF>), EF> = BTreeMap::new();
        let mut omega = vec![EF::ZERO; 1 << stack.variables()];
        let gamma = self.transcript.challenge(labels::STACK_FOLD);
        let mut scale = EF::ONE;
        for Claim { wire, point, value } in claims {
            let tensor = tensor(wire).expect("a tensor of the stack");
            if known.insert((tensor, point.clone()), value).is_some() {
                continue;
            }
            for term in stack.terms(tensor, &point) {
                let local = eq_table(&term.point);
                for (slot, weight) in omega[term.address..].iter_mut().zip(local) {
                    *slot += scale * term.coefficient * weight;
                }
            }
            scale *= gamma;
        }
        let elements: Vec<EF> = committed.values().iter().map(|&v| EF::from(v)).collect();
        let tables = vec![elements.clone(), omega];
        let point = sumcheck(&mut self.transcript, tables, 2, Bind::Highest, |v| {
            v[0] * v[1]
        });
        let value = evaluate(&elements, &point);
        let sent = self.send(Step::Stack, labels::STACK_VALUE, vec![value])[0];
        self.forger.opening(self.transcript.len());
        let opened = committed.open(&mut self.transcript, &point, sent);
        if opened.is_err() {
            // A forged value has no opening; the true one stands in for the bytes.
            committed
                .open(&mut self.transcript, &point, value)
                .expect("an opening");
        }
    }
}

/// All points of the cube, in order of their index.
fn corners(variables: usize) -> Vec<Vec<EF>> {
    let corner = |index: usize| {
        let bits = (0..variables).rev().map(|bit| (index >> bit) & 1);
        bits.map(EF::from_usize).collect()
    };
    (0..1 << variables).map(corner).collect()
}
