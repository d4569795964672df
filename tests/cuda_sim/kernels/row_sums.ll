; y[row] = Σ x[row, :] in f32: a warp for each row, lanes along it, then a butterfly of shuffles.
target triple = "nvptx64-nvidia-cuda"

define ptx_kernel void @row_sums(ptr addrspace(1) %x, ptr addrspace(1) %y, i64 %rows, i64 %columns) {
entry:
  %t32 = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %lane32 = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %b32 = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %n32 = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %warp32 = lshr i32 %t32, 5
  %warps32 = lshr i32 %n32, 5
  %row0 = mul i32 %b32, %warps32
  %row32 = add i32 %row0, %warp32
  %row = zext i32 %row32 to i64
  %lane = zext i32 %lane32 to i64
  %row_in = icmp ult i64 %row, %rows
  %first = mul i64 %row, %columns
  br i1 %row_in, label %columns_, label %done

columns_:
  %j = phi i64 [ %lane, %entry ], [ %j_next, %add ]
  %sum = phi float [ 0.0, %entry ], [ %sum_next, %add ]
  %more = icmp ult i64 %j, %columns
  br i1 %more, label %add, label %reduce

add:
  %at = add i64 %first, %j
  %from = getelementptr float, ptr addrspace(1) %x, i64 %at
  %value = load float, ptr addrspace(1) %from
  %sum_next = fadd float %sum, %value
  %j_next = add i64 %j, 32
  br label %columns_

reduce:
  %o16 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %sum, i32 16, i32 31)
  %s16 = fadd float %sum, %o16
  %o8 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s16, i32 8, i32 31)
  %s8 = fadd float %s16, %o8
  %o4 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s8, i32 4, i32 31)
  %s4 = fadd float %s8, %o4
  %o2 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s4, i32 2, i32 31)
  %s2 = fadd float %s4, %o2
  %o1 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s2, i32 1, i32 31)
  %s1 = fadd float %s2, %o1
  %leads = icmp eq i64 %lane, 0
  br i1 %leads, label %write, label %done

write:
  %to = getelementptr float, ptr addrspace(1) %y, i64 %row
  store float %s1, ptr addrspace(1) %to
  br label %done

done:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare float @llvm.nvvm.shfl.sync.bfly.f32(i32, float, i32, i32)
