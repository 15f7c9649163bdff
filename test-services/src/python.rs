//! A Python that has what a sample in Python needs.

use std::path::PathBuf;
use std::time::Duration;

use crate::command::Bounded;
use crate::{Error, Missing, machine};

/// The `python3` of this machine, or the one that `INGESTION_TEST_PYTHON` names, where it has this module.
///
/// # Errors
/// There is none, or it has no such module.
pub fn python(module: &str) -> Result<PathBuf, Error> {
    const LIMIT: Duration = Duration::from_secs(60);
    let named = machine::variable("INGESTION_TEST_PYTHON").map(PathBuf::from);
    let Some(python) = named.or_else(|| machine::program("python3")) else {
        return Err(Missing::new("no python3; type: apt-get install python3 python3-pip").into());
    };
    let import = format!("import {module}");
    if Bounded::new(&python, LIMIT).args(&["-c", &import]).run()?.ok {
        return Ok(python);
    }
    let package = module.replace('_', "-");
    Err(Missing::new(format!(
        "{} has no {module}; type: pip install {package}, and name that Python by INGESTION_TEST_PYTHON",
        python.display()
    ))
    .into())
}
