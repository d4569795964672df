//! Kernels with a fault: each is found with every seed, and said in words.

use super::*;
use tfc_cuda_sim::{Finding, Kind, Object};

/// Of a launch in which something is found.
fn report(ir: &str, run: &Run, arguments: &[Argument], seed: u64) -> Report {
    run.launch(&mut simulator(ir, true), arguments, seed).expect_err("something was planted")
}

fn find(report: &Report, kind: Kind) -> &Finding {
    report.findings.iter().find(|finding| finding.kind == kind).unwrap_or_else(|| panic!("no {kind:?} in:\n{report}"))
}

/// `matmul` of 17 × 18 × 19.
fn report_of_matmul(ir: &str, seed: u64) -> Report {
    let (a, b, mut c) = (Buffer::of(&noise(17 * 19, 1)), Buffer::of(&noise(19 * 18, 2)), Buffer::new(17 * 18));
    let numbers = [17, 18, 19].map(Argument::Number);
    report(ir, &matmul(17, 18), &[[a.read(), b.read(), c.write()], numbers].concat(), seed)
}

fn report_of_pipeline(ir: &str, seed: u64) -> Report {
    let (a, b, mut c) = (Buffer::of(&[0u16; 16 * 64]), Buffer::of(&[0u16; 64 * 8]), Buffer::new(128));
    report(ir, &pipeline(), &[a.read(), b.read(), c.write(), Argument::Number(64)], seed)
}

/// Rows beyond the last are read of a, and written to c.
#[test]
fn out_of_bounds() {
    let report = report_of_matmul(&edited(MATMUL, "icmp ult i64 %row, %m", "icmp ult i64 %row, -1"), 0);
    assert!(report.findings.iter().all(|finding| finding.kind == Kind::OutOfBounds), "{report}");
    let objects: Vec<_> = report.findings.iter().map(|finding| finding.place.unwrap().object).collect();
    assert_eq!(objects, [Object::Argument(0), Object::Argument(2)]);
    let read = &report.findings[0];
    let place = read.place.unwrap();
    assert!(place.offset >= 17 * 19 * 4 && place.bytes == 17 * 19 * 4);
    assert!(read.instruction.as_ref().unwrap().contains("load float, ptr addrspace(1) %a_from"), "{report}");
    assert!(report.to_string().starts_with("out of bounds in `matmul`, block ["), "{report}");
    assert!(report.to_string().contains(": reads 4 bytes at argument 0 +"), "{report}");
}

/// The last tile's place in shared memory is behind it.
#[test]
fn out_of_bounds_in_shared_memory() {
    let report = report_of_matmul(&edited(MATMUL, "%own = add i64 %line, %tx", "%own = add i64 %line, 128"), 0);
    let finding = find(&report, Kind::OutOfBounds);
    assert!(matches!(finding.place.unwrap().object, Object::Shared(_)), "{report}");
    assert!(finding.who.unwrap().thread[1] >= 8);
}

/// A pointer that has nothing to do with the arguments.
#[test]
fn astray() {
    let ir = edited(
        COPY,
        "%to = getelementptr float, ptr addrspace(1) %y, i64 %at",
        "%to = inttoptr i64 4096 to ptr addrspace(1)",
    );
    let (x, mut y) = (Buffer::of(&noise(64, 1)), Buffer::new(64));
    let run = Run { block: [32, 1, 1], grid: [1; 3], shared: 0 };
    let report = report(&ir, &run, &[x.read(), y.write(), Argument::Number(64)], 0);
    let finding = find(&report, Kind::OutOfBounds);
    assert_eq!(finding.details, "writes 16 bytes of nothing that the kernel was given");
    assert_eq!(finding.count, 16);
}

/// Four numbers at once from an address that is right for one.
#[test]
fn misaligned() {
    let (x, mut y) = (Buffer::of(&noise(68, 1)), Buffer::new(64));
    let Argument::Buffer { address, .. } = x.read() else { unreachable!() };
    let shifted = Argument::Buffer { address: address.wrapping_add(4), bytes: 256, writable: false };
    let run = Run { block: [32, 1, 1], grid: [1; 3], shared: 0 };
    let report = report(COPY, &run, &[shifted, y.write(), Argument::Number(64)], 0);
    assert_eq!(find(&report, Kind::Misaligned).details, "reads 16 bytes that are not aligned to 16");
    assert_eq!(report.findings.len(), 1);
}

#[test]
fn a_copy_to_a_misaligned_place() {
    let report = report_of_pipeline(
        &edited(PIPELINE, "%copy_b_to = add i64 %copy_b_line, 512", "%copy_b_to = add i64 %copy_b_line, 520"),
        0,
    );
    assert!(find(&report, Kind::Misaligned).instruction.as_ref().unwrap().contains("cp.async.ca"), "{report}");
}

#[test]
fn a_write_to_what_is_only_read() {
    let (x, y) = (Buffer::of(&noise(64, 1)), Buffer::new(64));
    let run = Run { block: [32, 1, 1], grid: [1; 3], shared: 0 };
    let report = report(COPY, &run, &[x.read(), y.read(), Argument::Number(64)], 0);
    assert_eq!(find(&report, Kind::ReadOnly).place.unwrap().object, Object::Argument(1));
}

/// b's tile is not stored.
#[test]
fn uninitialised_shared_memory() {
    let ir = edited(MATMUL, "store float %b_value, ptr addrspace(3) %to_b", "");
    for seed in SEEDS {
        let report = report_of_matmul(&ir, seed);
        let finding = find(&report, Kind::Uninitialized);
        assert!(finding.instruction.as_ref().unwrap().contains("load float, ptr addrspace(3) %from_b"), "{report}");
        assert!(!report.has(Kind::Race), "{report}");
    }
}

#[test]
fn a_missing_barrier_before_reading() {
    let ir = edited(MATMUL, "call void @llvm.nvvm.barrier0() ; until the tiles are loaded", "");
    for seed in SEEDS {
        let report = report_of_matmul(&ir, seed);
        assert!(report.has(Kind::Race) || report.has(Kind::Uninitialized), "{report}");
    }
}

#[test]
fn a_missing_barrier_before_writing_again() {
    let ir = edited(MATMUL, "call void @llvm.nvvm.barrier0() ; until the tiles are used", "");
    for seed in SEEDS {
        let report = report_of_matmul(&ir, seed);
        let race = find(&report, Kind::Race);
        assert!(race.details.ends_with("with no barrier between"), "{report}");
    }
}

/// What a barrier of the right warps orders, one of others does not.
#[test]
fn a_barrier_of_the_wrong_warps() {
    let ir = edited(
        HAND_OVER,
        "compute:\n",
        "compute:\n  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 64)\n",
    );
    let ir = edited(
        &ir,
        "store float %double, ptr addrspace(3) %place\n  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 64) ; it is there",
        "store float %double, ptr addrspace(3) %place",
    );
    let x = Buffer::of(&noise(32, 1));
    let run = Run { block: [128, 1, 1], grid: [1; 3], shared: 0 };
    for seed in SEEDS {
        let report = report(&ir, &run, &[x.read(), Buffer::new(32).write()], seed);
        assert!(report.has(Kind::Race) || report.has(Kind::Uninitialized), "{report}");
    }
}

/// Every block writes to the first rows.
#[test]
fn a_race_between_blocks() {
    let ir = edited(MATMUL, "%c_row = mul i64 %row, %n", "%c_row = mul i64 %ty, %n");
    let ir = edited(&ir, "%row_in = icmp ult i64 %row, %m", "%row_in = icmp ult i64 %ty, %m");
    let ir = edited(&ir, "%a_row = mul i64 %row, %k", "%a_row = mul i64 %ty, %k");
    for seed in SEEDS {
        let report = report_of_matmul(&ir, seed);
        let race = find(&report, Kind::Race);
        assert_eq!(race.place.unwrap().object, Object::Argument(2));
        assert!(race.details.contains("of block ["), "{report}");
    }
}

/// A group too many may be under way.
#[test]
fn an_unfinished_copy() {
    let ir = edited(
        PIPELINE,
        "call void @llvm.nvvm.cp.async.wait.group(i32 1)",
        "call void @llvm.nvvm.cp.async.wait.group(i32 2)",
    );
    for seed in SEEDS {
        assert!(report_of_pipeline(&ir, seed).has(Kind::UnfinishedCopy));
    }
}

/// Each lane has awaited what it copied itself, not what others did.
#[test]
fn a_copy_awaited_by_another_thread_only() {
    let ir = edited(PIPELINE, "call void @llvm.nvvm.bar.warp.sync(i32 -1) ; until all have what they copied", "");
    for seed in SEEDS {
        assert!(report_of_pipeline(&ir, seed).has(Kind::Race));
    }
}

#[test]
fn a_copy_over_what_is_still_read() {
    let ir = edited(PIPELINE, "call void @llvm.nvvm.bar.warp.sync(i32 -1) ; until all have used the stage", "");
    for seed in SEEDS {
        let report = report_of_pipeline(&ir, seed);
        assert!(find(&report, Kind::Race).details.starts_with("copies to what "), "{report}");
    }
}

#[test]
fn a_copy_of_more_than_fits() {
    let report = report_of_pipeline(
        &edited(PIPELINE, "select i1 %exists, i32 16, i32 0", "select i1 %exists, i32 20, i32 0"),
        0,
    );
    assert_eq!(find(&report, Kind::Operand).details, "copies 20 bytes of at most 16");
}

/// Rows of a at a stride of 32 bytes, not swizzled: two passes for each matrix.
#[test]
fn bank_conflicts() {
    let ir =
        edited(PIPELINE, "%copy_swizzled = xor i64 %copy_half, %copy_odd", "%copy_swizzled = add i64 %copy_half, 0");
    let ir = edited(&ir, "%swizzled = xor i64 %half, %odd", "%swizzled = add i64 %half, 0");
    let (a, b, mut c) = (Buffer::of(&[0u16; 16 * 64]), Buffer::of(&[0u16; 64 * 8]), Buffer::new(128));
    let arguments = [a.read(), b.read(), c.write(), Argument::Number(64)];
    let mut simulator = simulator(&ir, true);
    let counted = pipeline().launch(&mut simulator, &arguments, 0).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(counted.bank_conflicts, 4 * 4, "four tiles, four matrices of a in each");
    let launch = |allowed_conflicts| Launch {
        kernel: 0,
        arguments: &arguments,
        dimensions: Dimensions { block: [32, 1, 1], grid: [1; 3] },
        dynamic_shared_bytes: 2 * 768,
        seed: 0,
        allowed_conflicts,
    };
    // SAFETY: nothing else accesses the test's buffers.
    let (allowed, refused) = unsafe { (simulator.launch(&launch(16)), simulator.launch(&launch(15))) };
    assert!(allowed.is_ok());
    let report = refused.unwrap_err();
    assert_eq!(find(&report, Kind::BankConflicts).details, "16 passes too many in 4 accesses of a warp");
}

/// Threads that end early, or take another way, leave the others waiting.
#[test]
fn divergent_barriers() {
    let run = Run { block: [64, 1, 1], grid: [1; 3], shared: 0 };
    let early = edited(MEET, "call void @llvm.nvvm.barrier0() ; there", "");
    for (limit, finished) in [(40, 24), (32, 32), (1, 63)] {
        let report = report(&early, &run, &[Argument::Number(limit)], 0);
        let details = &find(&report, Kind::DivergentBarrier).details;
        assert!(
            details.starts_with(&format!("no thread can go on: {limit} threads, from [0, 0, 0] on, wait at")),
            "{report}"
        );
        assert!(details.ends_with(&format!("; {finished} have finished")), "{report}");
    }
    for limit in [40, 32, 1] {
        let report = report(MEET, &run, &[Argument::Number(limit)], 0);
        assert!(report.has(Kind::DivergentBarrier), "{report}");
    }
    let mut simulator = simulator(MEET, true);
    for limit in [0, 64] {
        assert!(run.launch(&mut simulator, &[Argument::Number(limit)], 0).is_ok());
    }
}

/// Also without the checker nothing hangs.
#[test]
fn divergence_is_found_without_the_checker() {
    let run = Run { block: [64, 1, 1], grid: [1; 3], shared: 0 };
    let early = edited(MEET, "call void @llvm.nvvm.barrier0() ; there", "");
    let mut simulator = simulator(&early, false);
    let report = run.launch(&mut simulator, &[Argument::Number(40)], 0).unwrap_err();
    assert!(report.has(Kind::DivergentBarrier));
    assert!(run.launch(&mut simulator, &[Argument::Number(64)], 0).is_ok(), "the next launch is none the worse");
}

/// Lanes that have nothing to add leave before the shuffles.
#[test]
fn a_divergent_warp() {
    let ir = edited(
        ROW_SUMS,
        "br i1 %row_in, label %columns_, label %done",
        "%has = icmp ult i64 %lane, %columns\n  br i1 %has, label %columns_, label %done",
    );
    let (x, mut y) = (Buffer::of(&noise(20, 1)), Buffer::new(1));
    let run = Run { block: [32, 1, 1], grid: [1; 3], shared: 0 };
    for checked in [true, false] {
        let arguments = [x.read(), y.write(), Argument::Number(1), Argument::Number(20)];
        let report = run.launch(&mut simulator(&ir, checked), &arguments, 0).unwrap_err();
        let finding = find(&report, Kind::DivergentWarp);
        assert!(finding.details.starts_with("no thread can go on: 20 threads"), "{report}");
        assert!(finding.details.ends_with("12 have finished"), "{report}");
    }
}

/// The mask names the lanes that are there, but a value is taken from one that is not.
#[test]
fn a_shuffle_from_a_lane_that_takes_no_part() {
    let ir = edited(
        ROW_SUMS,
        "br i1 %row_in, label %columns_, label %done",
        "%has = icmp ult i64 %lane, %columns\n  br i1 %has, label %columns_, label %done",
    );
    let ir = edited(&ir, "f32(i32 -1,", "f32(i32 1048575,");
    let (x, mut y) = (Buffer::of(&noise(20, 1)), Buffer::new(1));
    let run = Run { block: [32, 1, 1], grid: [1; 3], shared: 0 };
    let report = report(&ir, &run, &[x.read(), y.write(), Argument::Number(1), Argument::Number(20)], 0);
    assert!(find(&report, Kind::DivergentWarp).details.starts_with("takes the value of lane "), "{report}");
}

/// Part of a block's last warp does not exist.
#[test]
fn a_product_by_half_a_warp() {
    let (a, b, mut c) = (Buffer::new(128), Buffer::new(64), Buffer::new(128));
    let run = Run { block: [16, 1, 1], grid: [1; 3], shared: 0 };
    let report = report(TF32, &run, &[a.read(), b.read(), c.write()], 0);
    assert!(report.has(Kind::DivergentWarp), "{report}");
}

#[test]
fn launches_that_a_device_refuses() {
    let mut simulator = simulator(MATMUL, true);
    let (a, b, mut c) = (Buffer::new(1), Buffer::new(1), Buffer::new(1));
    let numbers = [Argument::Number(1); 3];
    let arguments = [[a.read(), b.read(), c.write()], numbers].concat();
    let good = || Run { block: [16, 16, 1], grid: [1; 3], shared: 0 };
    let mut refused = |run: Run, arguments: &[Argument]| {
        let report = run.launch(&mut simulator, arguments, 0).unwrap_err();
        find(&report, Kind::Launch).details.clone()
    };
    assert_eq!(refused(good(), &arguments[1..]), "it takes 6 arguments, not 5");
    assert_eq!(
        refused(Run { block: [32, 16, 1], ..good() }, &arguments),
        "a block has 512 threads; it may have 1 to 256"
    );
    assert!(refused(Run { grid: [1, 70_000, 1], ..good() }, &arguments).starts_with("the grid is [1, 70000, 1]"));
    assert!(
        refused(Run { shared: 230 << 10, ..good() }, &arguments)
            .ends_with("no device has more than 232448 for a block")
    );
}

/// The whole of a report, in words.
#[test]
fn a_report() {
    let report = report_of_matmul(
        &edited(
            MATMUL,
            "%from_b = getelementptr float, ptr addrspace(3) @tile_b, i64 %at_b",
            "%from_b = getelementptr float, ptr addrspace(3) @tile_b, i64 300",
        ),
        0,
    );
    insta::assert_snapshot!(report.to_string(), @r"
    out of bounds in `matmul`, block [0, 0, 0], thread [2, 13, 0]: reads 4 bytes at shared variable 1 +1200, which has 1024 bytes
        %y = load float, ptr addrspace(3) %from_b, align 4
        found 32768 times
    ");
}

/// The same seed, the same report.
#[test]
fn a_seed_is_an_order() {
    let ir = edited(MATMUL, "call void @llvm.nvvm.barrier0() ; until the tiles are used", "");
    let reports: Vec<String> = SEEDS.map(|seed| report_of_matmul(&ir, seed).to_string()).collect();
    let again: Vec<String> = SEEDS.map(|seed| report_of_matmul(&ir, seed).to_string()).collect();
    assert_eq!(reports, again);
    assert!(reports.iter().any(|report| *report != reports[0]), "all seeds are one order");
}
