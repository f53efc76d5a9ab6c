//! Imported modules: files relative to the importing one, and the standard modules. Each is loaded once.

use super::{Driver, Errors};
use crate::builtins;
use crate::check::{Imported, Member, Mode, Place};
use crate::diag::{self, codes};
use crate::source::Span;
use crate::value::function::Proto;
use std::collections::{HashMap, VecDeque};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// The standard modules that are written in Par: name and text. What begins with `_` is a part of another, and not listed.
const WRITTEN_IN_PAR: &[(&str, &str)] = &[
    ("_jobs", include_str!("../../stdlib/_jobs.par")),
    ("_log", include_str!("../../stdlib/_log.par")),
    ("_tasks", include_str!("../../stdlib/_tasks.par")),
    ("jobs", include_str!("../../stdlib/jobs.par")),
    ("log", include_str!("../../stdlib/log.par")),
    ("memo", include_str!("../../stdlib/memo.par")),
    ("mpi", include_str!("../../stdlib/mpi.par")),
    ("parallel", include_str!("../../stdlib/parallel.par")),
    ("supervise", include_str!("../../stdlib/supervise.par")),
    ("tasks", include_str!("../../stdlib/tasks.par")),
    ("test", include_str!("../../stdlib/test.par")),
];

/// The modules that were imported so far.
#[derive(Default)]
pub(super) struct Imports {
    /// How many files were imported: the next one's number in [`Place::File`].
    count: u32,
    /// Files by their canonical path.
    files: HashMap<PathBuf, Imported>,
    /// Standard modules by name.
    standard: HashMap<Rc<str>, Imported>,
    /// The files that are being loaded, outermost first.
    loading: Vec<PathBuf>,
    /// Bodies that have not run yet, in the order in which they must.
    waiting: VecDeque<Rc<Proto>>,
}

impl Imports {
    /// Notes that a file is being loaded.
    pub(super) fn enter(&mut self, file: Option<&Path>) {
        self.loading.extend(file.map(Path::to_path_buf));
    }

    /// Notes that it is loaded.
    pub(super) fn leave(&mut self, file: Option<&Path>) {
        if file.is_some() {
            self.loading.pop();
        }
    }

    /// The next module body that has not run yet.
    pub(super) fn next_to_run(&mut self) -> Option<Rc<Proto>> {
        self.waiting.pop_front()
    }
}

/// Reads a text file.
pub(super) fn read(path: &Path) -> diag::Result<String> {
    let failed =
        |why: String| diag::Error::new(codes::IO, format!("cannot read {}: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => failed("there is no such file".to_string()),
        std::io::ErrorKind::PermissionDenied => failed("it may not be read".to_string()),
        std::io::ErrorKind::IsADirectory => failed("it is a folder".to_string()),
        _ => failed(error.to_string()),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = memchr::memchr_iter(b'\n', &error.as_bytes()[..valid]).count() + 1;
        failed(format!("expected UTF-8, found other bytes in line {line}"))
    })
}

/// Refuses what would be waited for, and says what may be meant.
fn check_importable(path: &Path) -> diag::Result<()> {
    let refused =
        |why: &str| diag::Error::new(codes::IO, format!("cannot read {}: {why}", path.display()));
    match path.metadata() {
        Ok(known) if known.is_file() || known.is_dir() => Ok(()),
        Ok(_) => Err(refused("a module is a file, but this is none")),
        Err(_) if path.extension().is_none() && path.with_extension("par").exists() => {
            let name = path.with_extension("par");
            let name = name
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let help = format!("the file is called {name}, and a path is written in full");
            Err(refused("there is no such file").with_help(help))
        }
        // Whoever reads it tells why not.
        Err(_) => Ok(()),
    }
}

/// By which a file is known however it is written.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// How reports name a file: as it was written, without `folder/..`.
pub(super) fn shown(path: &Path) -> String {
    let mut short = PathBuf::new();
    for part in path.components() {
        let after_folder = matches!(short.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::CurDir => {}
            Component::ParentDir if after_folder => drop(short.pop()),
            part => short.push(part),
        }
    }
    short.display().to_string()
}

/// The standard modules that are written in Par: name and text.
pub fn modules_in_par() -> impl Iterator<Item = (&'static str, &'static str)> {
    let modules = WRITTEN_IN_PAR.iter().copied();
    modules.filter(|(name, _)| !name.starts_with('_'))
}

/// The names of all standard modules.
pub(super) fn standard_names() -> Vec<Rc<str>> {
    let written = WRITTEN_IN_PAR.iter().map(|(name, _)| *name);
    let mut names: Vec<&str> = builtins::module_names();
    names.extend(written);
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(Rc::from).collect()
}

impl Driver {
    /// Imports a file by the path that is written in the text that is being loaded.
    pub(super) fn import_file(&mut self, written: &str, span: Span) -> diag::Result<Imported> {
        let importing = self.imports.loading.last();
        let folder = importing.and_then(|file| file.parent());
        let mut path = folder.unwrap_or(Path::new("")).join(written);
        if let Some(real) = importing
            .filter(|_| !path.exists())
            .map(|file| canonical(file))
        {
            // A script may be called by a link to it: its modules are where it is itself.
            let beside = real.parent().map(|folder| folder.join(written));
            path = beside.filter(|path| path.exists()).unwrap_or(path);
        }
        check_importable(&path).map_err(|error| error.with_span(span))?;
        let known = canonical(&path);
        if let Some(imported) = self.imports.files.get(&known) {
            return Ok(imported.clone());
        }
        self.refuse_ring(&known)?;
        let source = self.load(&path).map_err(|error| error.with_span(span))?;
        let program = self
            .compile(&source, Mode::Module, Some(&path))
            .map_err(|errors| self.tell_first(errors, span))?;

        let globals = program.globals.iter();
        let offered: Vec<(Rc<str>, u32)> = globals
            .filter(|(name, _)| !name.starts_with('_'))
            .cloned()
            .collect();
        let number = self.imports.count;
        let imported = Imported {
            place: Place::File(number),
            members: offered.iter().map(written_in_par).collect(),
            kinds: Vec::new(),
        };
        self.imports.count += 1;
        self.imports.waiting.push_back(program.main);
        self.imports.files.insert(known, imported.clone());
        Ok(imported)
    }

    /// An imported file's first error, for the importing text to report; the others are kept to be reported with it.
    fn tell_first(&mut self, errors: Errors, span: Span) -> Box<diag::Error> {
        let mut errors = errors.into_iter();
        let first = errors.next().map(Box::new);
        self.further.extend(errors);
        first
            .unwrap_or_else(|| diag::Error::new(codes::INTERNAL, "the file does not compile"))
            .with_other(span, "imported here")
    }

    /// Files that import each other are an error that shows the whole ring.
    fn refuse_ring(&self, known: &Path) -> diag::Result<()> {
        let loading = &self.imports.loading;
        let Some(first) = loading.iter().position(|path| canonical(path) == known) else {
            return Ok(());
        };
        let mut ring: Vec<String> = loading.iter().skip(first).map(|path| shown(path)).collect();
        ring.extend(ring.first().cloned());
        let message = format!("files import each other: {}", ring.join(" -> "));
        let help = "move what both need into a third file that both import";
        Err(diag::Error::new(codes::IMPORT_CYCLE, message).with_help(help))
    }

    /// Imports a standard module: what is written in Rust, and over it what is written in Par.
    pub(super) fn import_standard(&mut self, name: &Rc<str>) -> diag::Result<Imported> {
        if let Some(imported) = self.imports.standard.get(name) {
            return Ok(imported.clone());
        }
        let mut members = native_members(name);
        if let Some((_, text)) = WRITTEN_IN_PAR.iter().find(|(module, _)| *module == &**name) {
            let source = self.add(format!("<{name}>"), *text);
            let program = self
                .compile(&source, Mode::Module, None)
                .map_err(|errors| internal(name, errors))?;
            let globals = program.globals.iter();
            let public = globals.filter(|(name, _)| !name.starts_with('_'));
            let written: Vec<Member> = public.map(written_in_par).collect();
            members.retain(|native| written.iter().all(|member| member.name != native.name));
            members.extend(written);
            self.imports.waiting.push_back(program.main);
        }
        let imported = Imported {
            place: Place::Module(name.clone()),
            members,
            kinds: Vec::new(),
        };
        self.imports.standard.insert(name.clone(), imported.clone());
        Ok(imported)
    }
}

fn written_in_par((name, slot): &(Rc<str>, u32)) -> Member {
    Member {
        name: name.clone(),
        slot: Some(*slot),
        params: None,
    }
}

fn native_members(name: &str) -> Vec<Member> {
    let Some(module) = builtins::module(name) else {
        return Vec::new();
    };
    let functions = module.functions.iter().map(|native| Member {
        name: native.name.into(),
        slot: None,
        params: Some(native.params),
    });
    let constants = module.constants.iter().map(|(name, _)| Member {
        name: (*name).into(),
        slot: None,
        params: None,
    });
    functions.chain(constants).collect()
}

fn internal(name: &str, errors: Vec<diag::Error>) -> Box<diag::Error> {
    let message = format!("the standard module {name} does not compile");
    let error = diag::Error::new(codes::INTERNAL, message);
    errors
        .into_iter()
        .fold(error, |error, cause| error.with_cause(cause))
}
