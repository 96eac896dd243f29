//! Confining the process that runs a stranger's model.
//!
//! Called in the child before the model is loaded, on its only thread. Every layer is tried; what the system lacks is
//! left out and reported, never ignored silently.

#![expect(unsafe_code, reason = "limits and process attributes are set through the C library")]

use std::fmt;
use std::fs::File;

use serde::{Deserialize, Serialize};

/// Limits of the confined process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Address space in bytes, the mapped model included.
    pub memory_bytes: u64,
    /// Processor time in seconds over the life of the process.
    pub cpu_seconds: u64,
}

/// Which layers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Confinement {
    /// Resource limits: memory, processor time, open files, core dumps, written files.
    pub limits: bool,
    /// The process cannot gain privileges and cannot be inspected by others of its user.
    pub privileges: bool,
    /// No file but the model can be opened, nothing can be written.
    pub files: Layer,
    /// Only the system calls that computing needs: no sockets, no other programs, no other processes.
    pub system_calls: bool,
}

/// How far the kernel enforces a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Layer {
    /// Not at all.
    #[default]
    None,
    /// An older kernel: a part.
    Partial,
    /// Wholly.
    Full,
}

impl Confinement {
    /// Whether every layer holds wholly.
    pub fn is_full(self) -> bool {
        self.limits && self.privileges && self.files == Layer::Full && self.system_calls
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = |name: &'static str, holds: bool| holds.then_some(name);
        let files = match self.files {
            Layer::None => None,
            Layer::Partial => Some("files (partly)"),
            Layer::Full => Some("files"),
        };
        let layers: Vec<&str> = [
            held("limits", self.limits),
            held("privileges", self.privileges),
            files,
            held("system calls", self.system_calls),
        ]
        .into_iter()
        .flatten()
        .collect();
        formatter.write_str(if layers.is_empty() { "none" } else { "" })?;
        formatter.write_str(&layers.join(", "))
    }
}

/// Confines this process for the rest of its life. `model` is the one file that may still be opened for reading.
///
/// Threads that run already are not confined: call it before any is started.
pub fn confine(model: Option<&File>, limits: Limits) -> Confinement {
    #[cfg(target_os = "linux")]
    {
        let privileges = drop_privileges();
        let limits = set_limits(limits);
        Confinement { privileges, limits, files: restrict_files(model), system_calls: system_calls::restrict() }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = model;
        Confinement { limits: set_limits(limits), ..Confinement::default() }
    }
}

/// Closes every inherited file but the three standard ones.
pub fn close_inherited_files() {
    #[cfg(target_os = "linux")]
    // SAFETY: closes descriptors that this process has not opened itself: it is called first thing in the child.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
    }
}

#[cfg(unix)]
fn set_limits(limits: Limits) -> bool {
    // The number of processes is not limited here: that limit counts all processes of the user. Where the kernel can,
    // the filter of system calls forbids new processes instead.
    [
        (libc::RLIMIT_AS, limits.memory_bytes),
        (libc::RLIMIT_CPU, limits.cpu_seconds),
        (libc::RLIMIT_NOFILE, 16),
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_FSIZE, 0),
    ]
    .into_iter()
    .all(|(resource, value)| {
        let value = libc::rlim_t::try_from(value).unwrap_or(libc::RLIM_INFINITY);
        let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
        // SAFETY: the pointer is valid for the call, which only reads it.
        unsafe { libc::setrlimit(resource, &raw const limit) == 0 }
    })
}

#[cfg(not(unix))]
fn set_limits(_limits: Limits) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn drop_privileges() -> bool {
    // SAFETY: both calls take plain numbers and change attributes of this process only.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
    }
}

#[cfg(target_os = "linux")]
fn restrict_files(model: Option<&File>) -> Layer {
    use landlock::{
        ABI, Access as _, AccessFs, AccessNet, PathBeneath, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
        RulesetStatus, Scope,
    };

    let abi = ABI::V6;
    let restrict = || {
        let mut ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?;
        if let Some(model) = model {
            ruleset = ruleset.add_rule(PathBeneath::new(model, AccessFs::ReadFile))?;
        }
        ruleset.restrict_self()
    };
    match restrict().map(|status: landlock::RestrictionStatus| status.ruleset) {
        Ok(RulesetStatus::FullyEnforced) => Layer::Full,
        Ok(RulesetStatus::PartiallyEnforced) => Layer::Partial,
        Ok(RulesetStatus::NotEnforced) | Err(_) => Layer::None,
    }
}

#[cfg(target_os = "linux")]
mod system_calls {
    //! The system calls that loading a model and computing with it need.

    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        TargetArch, apply_filter,
    };

    /// Allowed with any arguments.
    const ALLOWED: &[libc::c_long] = &[
        // Reading and writing what is open. Opening is limited to the model by the layer of files.
        libc::SYS_read,
        // Answered "not implemented" by the other filter: of two filters that refuse, the kernel takes the newer answer,
        // and only that answer makes the C library fall back to clone.
        libc::SYS_clone3,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_lseek,
        libc::SYS_close,
        libc::SYS_openat,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_readlinkat,
        libc::SYS_fcntl,
        libc::SYS_fadvise64,
        libc::SYS_readahead,
        // Memory.
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_mincore,
        // Threads of this process.
        libc::SYS_futex,
        libc::SYS_set_robust_list,
        libc::SYS_set_tid_address,
        libc::SYS_rseq,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_sched_setaffinity,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_getcpu,
        libc::SYS_membarrier,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
        // Signals of this process.
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        // Clocks, random numbers for hash tables, facts about the machine.
        libc::SYS_clock_gettime,
        libc::SYS_clock_getres,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        libc::SYS_sysinfo,
        libc::SYS_uname,
    ];

    /// Installs the filters. What they forbid fails with "operation not permitted".
    pub(super) fn restrict() -> bool {
        install().is_ok()
    }

    fn install() -> Result<(), Box<dyn std::error::Error>> {
        let denied = SeccompAction::Errno(libc::EPERM as u32);
        // The flags of clone3 are behind a pointer that a filter cannot follow. "Not implemented" makes the C library
        // fall back to clone, whose flags are checked below.
        let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        let missing = SeccompAction::Errno(libc::ENOSYS as u32);
        apply_filter(&program(clone3, SeccompAction::Allow, missing)?)?;
        apply_filter(&program(allowed()?, denied, SeccompAction::Allow)?)?;
        Ok(())
    }

    fn program(
        rules: BTreeMap<i64, Vec<SeccompRule>>,
        otherwise: SeccompAction,
        on_match: SeccompAction,
    ) -> Result<BpfProgram, Box<dyn std::error::Error>> {
        let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
        Ok(SeccompFilter::new(rules, otherwise, on_match, architecture)?.try_into()?)
    }

    fn allowed() -> Result<BTreeMap<i64, Vec<SeccompRule>>, Box<dyn std::error::Error>> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|&number| (number, Vec::new())).collect();
        let itself = u64::from(std::process::id());
        let mut when = |number, argument, length, operator, value| {
            let condition = SeccompCondition::new(argument, length, operator, value)?;
            let rule = SeccompRule::new(vec![condition])?;
            rules.entry(number).or_default().push(rule);
            Ok::<(), seccompiler::BackendError>(())
        };
        let (word, long) = (|| SeccompCmpArgLen::Dword, || SeccompCmpArgLen::Qword);
        let thread = libc::CLONE_THREAD as u64;
        when(libc::SYS_clone, 0, long(), SeccompCmpOp::MaskedEq(thread), thread)?;
        // `abort` sends a signal to itself; to others nothing can be sent.
        when(libc::SYS_tgkill, 0, word(), SeccompCmpOp::Eq, itself)?;
        when(libc::SYS_prctl, 0, word(), SeccompCmpOp::Eq, libc::PR_SET_NAME as u64)?;
        // Asking for limits, of this process only: the new limits must be a null pointer.
        let ask = [
            SeccompCondition::new(0, word(), SeccompCmpOp::Eq, 0)?,
            SeccompCondition::new(2, long(), SeccompCmpOp::Eq, 0)?,
        ];
        rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(ask.to_vec())?]);
        Ok(rules)
    }
}
