//! Whom we trust to be the Redis: the system's certificate authorities and those of a CA file. rustls over ring, names always checked.

use std::{path::Path, sync::Arc};

use fred::types::config::TlsConnector;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::RedisAddressError;

/// Certificates in a CA file at most; more is not a list of authorities.
const CERTIFICATES_MAX: usize = 10_000;

pub(super) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, RedisAddressError> {
    let mut roots = RootCertStore::empty();
    // A broken certificate in the system's store is the system's affair: whoever needs that one is told so by the handshake.
    let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let refuse = |why| RedisAddressError::CaFile { path: path.to_owned(), why };
        for certificate in read(path).map_err(refuse)? {
            roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring offers the versions that rustls is built with")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config.into())
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(|found| found.take(CERTIFICATES_MAX + 1).collect::<Result<Vec<_>, _>>())
        .map_err(|error| error.to_string())?;
    match certificates.len() {
        1..=CERTIFICATES_MAX => Ok(certificates),
        found => Err(format!("holds {found} certificates")),
    }
}
