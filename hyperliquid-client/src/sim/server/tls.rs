//! A certificate authority made at start, and a server certificate signed by it. ring only.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Why no TLS could be set up.
#[derive(Debug, thiserror::Error)]
pub enum SimTlsError {
    /// A certificate could not be made, for example because a name is no host name.
    #[error("certificate for {names:?} cannot be made")]
    Certificate {
        /// The names asked for.
        names: Vec<String>,
        /// What the library said.
        #[source]
        source: rcgen::Error,
    },
    /// The TLS library does not take it.
    #[error("tls cannot be configured")]
    Config(#[from] rustls::Error),
}

/// A server's configuration and the PEM of the authority that a client must trust.
pub(in crate::sim) fn server_config(
    names: &[String],
    expired: bool,
) -> Result<(Arc<ServerConfig>, String), SimTlsError> {
    let (chain, key, ca_pem) = certificates(names, expired)
        .map_err(|source| SimTlsError::Certificate { names: names.to_vec(), source })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((Arc::new(config), ca_pem))
}

type Made = (Vec<rustls::pki_types::CertificateDer<'static>>, PrivateKeyDer<'static>, String);

fn certificates(names: &[String], expired: bool) -> Result<Made, rcgen::Error> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "simulated venue");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate()?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);

    let mut server = CertificateParams::new(names.to_vec())?;
    server.distinguished_name.push(DnType::CommonName, "simulated venue server");
    if expired {
        (server.not_before, server.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    }
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((vec![certificate.der().clone()], key, ca_pem))
}
