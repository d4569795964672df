; Each thread writes its special registers: fourteen numbers.
target triple = "nvptx64-nvidia-cuda"

define ptx_kernel void @registers(ptr addrspace(1) %y) {
  %tx = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %ty = call i32 @llvm.nvvm.read.ptx.sreg.tid.y()
  %tz = call i32 @llvm.nvvm.read.ptx.sreg.tid.z()
  %bx = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %by = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
  %bz = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()
  %nx = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %ny = call i32 @llvm.nvvm.read.ptx.sreg.ntid.y()
  %nz = call i32 @llvm.nvvm.read.ptx.sreg.ntid.z()
  %mx = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
  %my = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.y()
  %mz = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.z()
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %size = call i32 @llvm.nvvm.read.ptx.sreg.warpsize()
  %b0 = mul i32 %bz, %my
  %b1 = add i32 %b0, %by
  %b2 = mul i32 %b1, %mx
  %b = add i32 %b2, %bx
  %t0 = mul i32 %b, %nz
  %t1 = add i32 %t0, %tz
  %t2 = mul i32 %t1, %ny
  %t3 = add i32 %t2, %ty
  %t4 = mul i32 %t3, %nx
  %t = add i32 %t4, %tx
  %at = mul i32 %t, 14
  %at64 = zext i32 %at to i64
  %p = getelementptr i32, ptr addrspace(1) %y, i64 %at64
  store i32 %tx, ptr addrspace(1) %p
  %p1 = getelementptr i32, ptr addrspace(1) %p, i64 1
  store i32 %ty, ptr addrspace(1) %p1
  %p2 = getelementptr i32, ptr addrspace(1) %p, i64 2
  store i32 %tz, ptr addrspace(1) %p2
  %p3 = getelementptr i32, ptr addrspace(1) %p, i64 3
  store i32 %bx, ptr addrspace(1) %p3
  %p4 = getelementptr i32, ptr addrspace(1) %p, i64 4
  store i32 %by, ptr addrspace(1) %p4
  %p5 = getelementptr i32, ptr addrspace(1) %p, i64 5
  store i32 %bz, ptr addrspace(1) %p5
  %p6 = getelementptr i32, ptr addrspace(1) %p, i64 6
  store i32 %nx, ptr addrspace(1) %p6
  %p7 = getelementptr i32, ptr addrspace(1) %p, i64 7
  store i32 %ny, ptr addrspace(1) %p7
  %p8 = getelementptr i32, ptr addrspace(1) %p, i64 8
  store i32 %nz, ptr addrspace(1) %p8
  %p9 = getelementptr i32, ptr addrspace(1) %p, i64 9
  store i32 %mx, ptr addrspace(1) %p9
  %p10 = getelementptr i32, ptr addrspace(1) %p, i64 10
  store i32 %my, ptr addrspace(1) %p10
  %p11 = getelementptr i32, ptr addrspace(1) %p, i64 11
  store i32 %mz, ptr addrspace(1) %p11
  %p12 = getelementptr i32, ptr addrspace(1) %p, i64 12
  store i32 %lane, ptr addrspace(1) %p12
  %p13 = getelementptr i32, ptr addrspace(1) %p, i64 13
  store i32 %size, ptr addrspace(1) %p13
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.tid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.tid.z()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.z()
declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.z()
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare i32 @llvm.nvvm.read.ptx.sreg.warpsize()
