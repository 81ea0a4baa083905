//! Public keys. Who holds one holds a point of prime order in its one encoding.
//!
//! Spec: spec/v1/receipt.md, section 5.

use ed25519_dalek::{Signature as Ed25519Signature, Verifier as _, VerifyingKey as Ed25519Key};
use p256::ecdsa::{Signature as P256Signature, VerifyingKey as P256Key};
use veridical_seeds::SeedError;
use veridical_seeds::vrf;

use crate::commitment::sha256;
use crate::error::{Error, Kind};
use crate::text::{base64, from_base64, hex, shorten};

/// Both algorithms: R || S of RFC 8032, or r || s of ECDSA.
pub(crate) const SIGNATURE_BYTES: usize = 64;
/// SubjectPublicKeyInfo of Ed25519, up to the key.
const ED25519_FRAME: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// SubjectPublicKeyInfo of P-256 with an uncompressed point, up to the point's coordinates.
const P256_FRAME: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
const P256_ENCODED_BYTES: usize = 91;
/// The same with a compressed point, up to its prefix.
const P256_COMPRESSED_FRAME: [u8; 26] = [
    0x30, 0x39, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x22, 0x00,
];
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
const PEM_COLUMNS: usize = 64;

/// A checked public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    key: Algorithm,
    /// Hex of the SHA-256 of the SubjectPublicKeyInfo.
    pub(crate) key_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Algorithm {
    Ed25519(Ed25519Key),
    P256(Box<P256Key>),
}

impl PublicKey {
    /// Checks 32 bytes.
    ///
    /// # Errors
    /// They are not the one encoding of a point of prime order.
    pub(crate) fn from_ed25519(raw: &[u8; 32]) -> Result<Self, Error> {
        require_prime_order(raw)?;
        let key = Ed25519Key::from_bytes(raw)
            .map_err(|_| not_on_curve("the Ed25519 key is no point of the curve"))?;
        Ok(Self {
            key: Algorithm::Ed25519(key),
            key_id: hex(&sha256(&[&ED25519_FRAME[..], raw].concat())),
        })
    }

    /// Loads a PEM SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// By kind; also for a second encoding of a key.
    pub(crate) fn from_pem(pem: &str, place: &str) -> Result<Self, Error> {
        let key = Self::of_pem(pem).map_err(|error| error.at(place))?;
        if lines(pem).ne(lines(&key.to_pem())) {
            let problem = "the file holds more than one key in its one encoding";
            return Err(Error::new(Kind::NonCanonicalKey, problem)
                .at(place)
                .of("key"));
        }
        Ok(key)
    }

    fn of_pem(pem: &str) -> Result<Self, Error> {
        let key_format = |message: &str| Error::new(Kind::KeyFormat, message);
        if pem.contains("PRIVATE KEY") {
            return Err(key_format(
                "this is a private key; a public key is expected",
            ));
        }
        let malformed =
            || key_format("not a PEM public key: Valid PEM but no BEGIN/END delimiters").of("key");
        let (_, rest) = pem.split_once(BEGIN).ok_or_else(malformed)?;
        let (body, _) = rest.split_once(END).ok_or_else(malformed)?;
        let body: String = body.split_ascii_whitespace().collect();
        let encoded = from_base64(&body, "").map_err(|error| {
            key_format(&format!("not a PEM public key: {}", error.message)).of("key")
        })?;
        Self::from_encoded(&encoded)
    }

    fn from_encoded(encoded: &[u8]) -> Result<Self, Error> {
        if let Some(raw) = encoded.strip_prefix(&ED25519_FRAME)
            && let Ok(raw) = <&[u8; 32]>::try_from(raw)
        {
            return Self::from_ed25519(raw);
        }
        let point = if encoded.len() == P256_ENCODED_BYTES && encoded.starts_with(&P256_FRAME) {
            encoded.get(P256_FRAME.len().saturating_sub(1)..)
        } else {
            encoded
                .strip_prefix(&P256_COMPRESSED_FRAME)
                .filter(|point| point.len() == 33)
        };
        if let Some(point) = point {
            let key = P256Key::from_sec1_bytes(point)
                .map_err(|_| not_on_curve("the P-256 key is no point of the curve"))?;
            return Ok(Self::from_p256(key));
        }
        if names_algorithm(encoded) {
            let message = "a key that is neither an Ed25519 nor a P-256 key";
            Err(Error::new(Kind::UnsupportedKey, message).of("key"))
        } else {
            let message = "not a PEM public key: no SubjectPublicKeyInfo of a known key";
            Err(Error::new(Kind::KeyFormat, message).of("key"))
        }
    }

    fn from_p256(key: P256Key) -> Self {
        let encoded = p256_encoded(&key);
        Self {
            key: Algorithm::P256(Box::new(key)),
            key_id: hex(&sha256(&encoded)),
        }
    }

    /// The name of the algorithm.
    pub(crate) const fn algorithm(&self) -> &'static str {
        match self.key {
            Algorithm::Ed25519(_) => "ed25519",
            Algorithm::P256(_) => "p256",
        }
    }

    /// The first digits of the key id.
    pub(crate) fn short_id(&self) -> String {
        shorten(&self.key_id, 16)
    }

    /// The 32 bytes of an Ed25519 key.
    pub(crate) fn ed25519(&self) -> Option<[u8; 32]> {
        match &self.key {
            Algorithm::Ed25519(key) => Some(key.to_bytes()),
            Algorithm::P256(_) => None,
        }
    }

    fn to_pem(&self) -> String {
        let encoded = match &self.key {
            Algorithm::Ed25519(key) => [&ED25519_FRAME[..], key.as_bytes()].concat(),
            Algorithm::P256(key) => p256_encoded(key),
        };
        let text = base64(&encoded);
        let mut pem = format!("{BEGIN}\n");
        for line in text.as_bytes().chunks(PEM_COLUMNS) {
            pem.extend(line.iter().map(|digit| char::from(*digit)));
            pem.push('\n');
        }
        pem.push_str(END);
        pem.push('\n');
        pem
    }

    /// Returns if the signature is this key's, in its one encoding.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn verify(&self, signature: &[u8], message: &[u8]) -> Result<(), Error> {
        let refused = |message: String| Error::new(Kind::Signature, message).of("signature");
        let signature = <&[u8; SIGNATURE_BYTES]>::try_from(signature)
            .map_err(|_| refused(format!("a signature has {SIGNATURE_BYTES} bytes")))?;
        let is_ours = match &self.key {
            // The key has prime order, so there is nothing more that a stricter rule could refuse but
            // what only its holder can make; R is compared as bytes, and s is reduced.
            Algorithm::Ed25519(key) => key
                .verify(message, &Ed25519Signature::from_bytes(signature))
                .is_ok(),
            Algorithm::P256(key) => {
                let out_of_range =
                    || refused("r or s of the P-256 signature is out of range".to_owned());
                let signature = P256Signature::from_slice(signature).map_err(|_| out_of_range())?;
                // (r, n - s) verifies too; only the low one counts.
                if signature.normalize_s() != signature {
                    return Err(out_of_range());
                }
                key.verify(message, &signature).is_ok()
            }
        };
        if is_ours {
            return Ok(());
        }
        Err(refused(format!(
            "the signature is not by key {}",
            self.short_id()
        )))
    }
}

fn p256_encoded(key: &P256Key) -> Vec<u8> {
    let point = key.to_sec1_point(false);
    let frame = P256_FRAME.split_last().map_or(&[][..], |(_, frame)| frame);
    [frame, point.as_bytes()].concat()
}

fn not_on_curve(message: &str) -> Error {
    Error::new(Kind::PointNotOnCurve, message).of("key")
}

/// Returns if the bytes encode a point of the Ed25519 curve of prime order, canonically.
///
/// # Errors
/// By kind.
pub(crate) fn require_prime_order(raw: &[u8; 32]) -> Result<(), Error> {
    let non_canonical = |message: &str| Err(Error::new(Kind::NonCanonicalKey, message).of("key"));
    let small = |message: &str| Err(Error::new(Kind::SmallOrderKey, message).of("key"));
    match vrf::PublicKey::from_bytes(*raw) {
        Ok(_) => Ok(()),
        Err(SeedError::KeySmallOrder) => small("the Ed25519 key has small order"),
        Err(SeedError::KeyTorsion) => small("the Ed25519 key has a component of small order"),
        Err(_) if !is_reduced(raw) => non_canonical("y of the Ed25519 key is not reduced"),
        Err(_) if has_no_x(raw) => non_canonical("x of the Ed25519 key is 0 and has a sign"),
        Err(_) => Err(not_on_curve("the Ed25519 key is no point of the curve")),
    }
}

/// Whether y is less than `p = 2^255 - 19`, whatever the sign of x.
fn is_reduced(raw: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = raw;
    !(*low >= 0xed && middle.iter().all(|byte| *byte == 0xff) && high & 0x7f == 0x7f)
}

/// Whether y is 1 or -1, where x is 0.
fn has_no_x(raw: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = raw;
    let all = |value: u8| middle.iter().all(|byte| *byte == value);
    match high & 0x7f {
        0 => *low == 1 && all(0),
        0x7f => *low == 0xec && all(0xff),
        _ => false,
    }
}

/// Whether bytes are framed as a SubjectPublicKeyInfo of some algorithm.
fn names_algorithm(encoded: &[u8]) -> bool {
    let is_sequence = encoded.first() == Some(&0x30);
    // An object identifier within the first bytes, behind two heads of sequences.
    is_sequence && encoded.iter().skip(2).take(8).any(|byte| *byte == 0x06)
}

/// Lines of a PEM text; line ends may differ between systems.
fn lines(pem: &str) -> impl Iterator<Item = &str> {
    let text = pem.trim_end_matches(['\r', '\n']);
    text.split('\n').map(|line| line.trim_end_matches('\r'))
}
