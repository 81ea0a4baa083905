//! Merkle trees over BLAKE3 whose prover data are shared, so that a commitment serves many proofs.

use std::sync::Arc;

use p3_blake3::Blake3;
use p3_commit::{BatchOpening, BatchOpeningRef, Mmcs};
use p3_matrix::{Dimensions, Matrix};
use p3_merkle_tree::{MerkleTree, MerkleTreeError, MerkleTreeMmcs};
use p3_symmetric::{CompressionFunctionFromHasher, MerkleCap, SerializingHasher};

use crate::field::F;
use crate::stream::DIGEST_BYTES;

type Leaf = SerializingHasher<Blake3>;
type Node = CompressionFunctionFromHasher<Blake3, 2, DIGEST_BYTES>;
type Tree = MerkleTreeMmcs<F, u8, Leaf, Node, 2, DIGEST_BYTES>;

/// Binary trees: a leaf is the digest of a row (4 bytes per element), a node that of its children.
///
/// Rows of 64 bytes and nodes have inputs of equal length; they are told apart by their depth,
/// which the verifier knows.
#[derive(Clone, Debug)]
pub struct SharedTree(Tree);

impl Default for SharedTree {
    fn default() -> Self {
        Self(Tree::new(Leaf::new(Blake3), Node::new(Blake3), 0))
    }
}

impl Mmcs<F> for SharedTree {
    type ProverData<M> = Arc<MerkleTree<F, u8, M, 2, DIGEST_BYTES>>;
    type Commitment = MerkleCap<F, [u8; DIGEST_BYTES]>;
    type Proof = <Tree as Mmcs<F>>::Proof;
    type MultiProof = <Tree as Mmcs<F>>::MultiProof;
    type Error = MerkleTreeError;

    fn commit<M: Matrix<F>>(&self, inputs: Vec<M>) -> (Self::Commitment, Self::ProverData<M>) {
        let (root, tree) = self.0.commit(inputs);
        (root, Arc::new(tree))
    }

    fn open_batch<M: Matrix<F>>(
        &self,
        index: usize,
        prover_data: &Self::ProverData<M>,
    ) -> BatchOpening<F, Self> {
        let (values, proof) = self.0.open_batch(index, prover_data).unpack();
        BatchOpening::new(values, proof)
    }

    fn get_matrices<'a, M: Matrix<F>>(&self, prover_data: &'a Self::ProverData<M>) -> Vec<&'a M> {
        self.0.get_matrices(prover_data)
    }

    fn verify_batch(
        &self,
        commit: &Self::Commitment,
        dimensions: &[Dimensions],
        index: usize,
        batch_opening: BatchOpeningRef<'_, F, Self>,
    ) -> Result<(), Self::Error> {
        let (values, proof) = batch_opening.unpack();
        self.0.verify_batch(
            commit,
            dimensions,
            index,
            BatchOpeningRef::new(values, proof),
        )
    }

    fn open_multi_batch<M: Matrix<F>>(
        &self,
        indices: &[usize],
        prover_data: &Self::ProverData<M>,
    ) -> (Vec<Vec<Vec<F>>>, Self::MultiProof) {
        self.0.open_multi_batch(indices, prover_data)
    }

    fn verify_multi_batch<R: AsRef<[F]> + PartialEq>(
        &self,
        commit: &Self::Commitment,
        dimensions: &[Dimensions],
        indices: &[usize],
        opened_values: &[Vec<R>],
        proof: &Self::MultiProof,
    ) -> Result<(), Self::Error> {
        self.0
            .verify_multi_batch(commit, dimensions, indices, opened_values, proof)
    }
}
