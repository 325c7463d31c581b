//! The certificates that TLS trusts.

use std::fs;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Reads a PEM file of trusted certificates.
///
/// # Errors
/// Returns why the file is unusable.
pub(super) fn read(path: &str) -> Result<Vec<u8>, String> {
    let pem = fs::read(path).map_err(|error| format!("the file cannot be read: {error}"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| format!("the file is not a PEM file: {error}"))?;
        roots.add(certificate).map_err(|error| format!("the file contains an unusable certificate: {error}"))?;
    }
    if roots.is_empty() { Err("the file contains no certificate in PEM format".to_owned()) } else { Ok(pem) }
}

/// Returns the usable certificates of a PEM file.
pub(super) fn parse(pem: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).filter_map(Result::ok));
    roots
}

/// Returns the system's root certificates.
#[cfg(target_os = "linux")]
pub(super) fn load() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for file in system::files() {
        let pem = fs::read(file).unwrap_or_default();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
        // Without the variables, each later file only repeats certificates of the bundle.
        if !roots.is_empty() && !system::is_chosen() {
            break;
        }
    }
    roots
}

/// Returns whether the system has a usable root certificate. Reads the files up to the first one.
#[cfg(target_os = "linux")]
pub(super) fn exist() -> bool {
    system::files().any(|file| {
        let certificates = CertificateDer::pem_file_iter(file);
        certificates.is_ok_and(|mut found| {
            found
                .any(|certificate| certificate.is_ok_and(|certificate| RootCertStore::empty().add(certificate).is_ok()))
        })
    })
}

/// Where Linux distributions keep root certificates.
#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::path::PathBuf;

    use crate::variables::{process_paths, process_variable};

    /// Returns whether the environment names the files.
    pub(super) fn is_chosen() -> bool {
        process_variable("SSL_CERT_FILE").is_some() || !process_paths("SSL_CERT_DIR").is_empty()
    }

    /// Returns the bundle, and then the files of the folders, which are read only if needed.
    pub(super) fn files() -> impl Iterator<Item = PathBuf> {
        let mut file = process_variable("SSL_CERT_FILE").map(PathBuf::from);
        let mut folders = process_paths("SSL_CERT_DIR");
        if file.is_none() && folders.is_empty() {
            let system = openssl_probe::probe();
            (file, folders) = (system.cert_file, system.cert_dir);
        }
        let entries = folders.into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let files = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file());
        file.into_iter().chain(files)
    }
}

/// Other systems have a certificate store, not files.
#[cfg(not(target_os = "linux"))]
pub(super) fn load() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Other systems have a certificate store, not files.
#[cfg(not(target_os = "linux"))]
pub(super) fn exist() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use lambda_harness::DistantEndpoint;

    use super::*;

    #[test]
    fn only_files_with_certificates_are_read() {
        let pem = read(DistantEndpoint::certificate()).expect("a certificate");
        assert!(pem.starts_with(b"-----BEGIN CERTIFICATE-----"));
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for unusable in ["/no/such/file", env!("CARGO_MANIFEST_DIR"), manifest] {
            assert!(read(unusable).is_err(), "{unusable}");
        }
        assert_eq!((parse(&pem).len(), parse(b"no certificate").len()), (1, 0));
    }
}
