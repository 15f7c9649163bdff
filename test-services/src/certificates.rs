//! An authority and a certificate it gave out for this machine's loopback, as PEM files.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::Failed;

/// Where they are.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    /// What clients trust.
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// Key and certificate in one, as Kafka wants it.
    pub(crate) keystore: PathBuf,
}

impl Certificates {
    /// Makes them in this folder, for `127.0.0.1` and `localhost`.
    pub(crate) fn make(folder: &Path) -> Result<Self, Failed> {
        let [authority, certificate, key] =
            pem().map_err(|error| Failed::new(format!("no certificates can be made: {error}")))?;
        let keystore = format!("{key}{certificate}");
        let write = |name: &str, text: &str| {
            let file = folder.join(name);
            std::fs::write(&file, text)
                .map_err(|error| Failed::new(format!("{}: {error}", file.display())))?;
            Ok::<_, Failed>(file)
        };
        Ok(Self {
            authority: write("ca.pem", &authority)?,
            certificate: write("server.pem", &certificate)?,
            key: write("server.key", &key)?,
            keystore: write("keystore.pem", &keystore)?,
        })
    }
}

/// Authority, certificate, key.
fn pem() -> Result<[String; 3], rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "test-services authority");
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::from_params(&authority, &authority_key);

    let mut server = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    server.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?.pem();
    Ok([authority_pem, certificate, key.serialize_pem()])
}
