//! Whom we trust: certificate roots and the TLS configuration made of them.
//!
//! rustls over ring, TLS 1.2 and 1.3, names always checked. A certificate that is expired, for another name or
//! from an unknown authority ends the connection; there is no option to accept it and no way back to plain text.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Certificates in a `ca_file` at most; more is not a list of roots.
const CA_FILE_CERTIFICATES_MAX: usize = 10_000;

/// A TLS configuration, shared by every connection of an endpoint.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    roots: usize,
}

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// `ca_file` cannot be read, or is not PEM.
    #[error("ca_file {} cannot be read", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<rustls::pki_types::pem::Error>,
    },
    /// `ca_file` holds no certificate, or absurdly many.
    #[error("ca_file {} holds {found} certificates", path.display())]
    CaFileCount {
        /// The file.
        path: PathBuf,
        /// How many.
        found: usize,
    },
    /// A certificate of `ca_file` is no root.
    #[error("ca_file {} holds a certificate that cannot be a root", path.display())]
    CaFileRoot {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// ring offers no usable TLS version; cannot happen with the features we build.
    #[error("no tls version can be used")]
    Versions(#[source] rustls::Error),
}

impl Tls {
    /// Mozilla's roots, the system's (those that can be read) and those of `ca_file` (PEM).
    ///
    /// # Errors
    /// [`TlsError`], when `ca_file` is not what it should be.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        // A broken certificate in the system's store is the system's affair; Mozilla's roots are there anyway.
        let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            for certificate in read_ca_file(path)? {
                roots
                    .add(certificate)
                    .map_err(|source| TlsError::CaFileRoot { path: path.to_owned(), source })?;
            }
        }
        Self::with_roots(roots)
    }

    /// Only the given roots.
    ///
    /// # Errors
    /// [`TlsError::Versions`].
    pub fn with_roots(roots: RootCertStore) -> Result<Self, TlsError> {
        let count = roots.len();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Versions)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), roots: count })
    }

    pub(crate) fn connector(&self) -> tokio_rustls::TlsConnector {
        Arc::clone(&self.config).into()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("roots", &self.roots).finish_non_exhaustive()
    }
}

/// Whether a failed handshake was TLS itself (a certificate, an alert), not the transport under it.
pub(crate) fn is_tls_error(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
}

fn read_ca_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::CaFile { path: path.to_owned(), source: Box::new(source) };
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .take(CA_FILE_CERTIFICATES_MAX + 1)
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    match certificates.len() {
        1..=CA_FILE_CERTIFICATES_MAX => Ok(certificates),
        found => Err(TlsError::CaFileCount { path: path.to_owned(), found }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_ca_file_that_is_none_is_refused_by_name() {
        let missing = Tls::new(Some(Path::new("/nonexistent/ca.pem"))).expect_err("there is no such file");
        assert_eq!(missing.to_string(), "ca_file /nonexistent/ca.pem cannot be read");

        let mut empty = tempfile::NamedTempFile::new().expect("a temporary file");
        empty.write_all(b"no certificate here\n").expect("written");
        let error = Tls::new(Some(empty.path())).expect_err("it holds none");
        assert!(matches!(error, TlsError::CaFileCount { found: 0, .. }), "{error:?}");
    }

    #[test]
    fn a_ca_file_adds_to_the_known_roots() {
        let authority =
            rcgen::generate_simple_self_signed(["authority.example".to_owned()]).expect("a certificate");
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(authority.cert.pem().as_bytes()).expect("written");
        let plain = Tls::new(None).expect("the known roots");
        let more = Tls::new(Some(file.path())).expect("the known roots and one");
        assert!(plain.roots > 100);
        assert_eq!(more.roots, plain.roots + 1);
    }
}
