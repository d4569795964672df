; y = 2·x for 32 numbers: one warp computes them, a second hands them on through shared memory, the other two have nothing to do with it.
target triple = "nvptx64-nvidia-cuda"

@box = internal addrspace(3) global [32 x float] undef, align 4

define ptx_kernel void @hand_over(ptr addrspace(1) %x, ptr addrspace(1) %y) {
  %t32 = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %lane32 = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %lane = zext i32 %lane32 to i64
  %place = getelementptr float, ptr addrspace(3) @box, i64 %lane
  %warp = lshr i32 %t32, 5
  switch i32 %warp, label %done [
    i32 0, label %compute
    i32 1, label %fetch
  ]

compute:
  %from = getelementptr float, ptr addrspace(1) %x, i64 %lane
  %value = load float, ptr addrspace(1) %from
  %double = fmul float %value, 2.0
  store float %double, ptr addrspace(3) %place
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 64) ; it is there
  br label %done

fetch:
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 64) ; it is there
  %fetched = load float, ptr addrspace(3) %place
  %to = getelementptr float, ptr addrspace(1) %y, i64 %lane
  store float %fetched, ptr addrspace(1) %to
  br label %done

done:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare void @llvm.nvvm.barrier.cta.sync.aligned.count(i32, i32)
