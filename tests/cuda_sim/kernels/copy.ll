; y = x, four numbers a thread.
target triple = "nvptx64-nvidia-cuda"

define ptx_kernel void @copy(ptr addrspace(1) %x, ptr addrspace(1) %y, i64 %n) {
  %t32 = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b32 = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %n32 = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %first = mul i32 %b32, %n32
  %i32 = add i32 %first, %t32
  %i = zext i32 %i32 to i64
  %at = shl i64 %i, 2
  %in = icmp ult i64 %at, %n
  br i1 %in, label %move, label %done

move:
  %from = getelementptr float, ptr addrspace(1) %x, i64 %at
  %four = load <4 x float>, ptr addrspace(1) %from, align 16
  %to = getelementptr float, ptr addrspace(1) %y, i64 %at
  store <4 x float> %four, ptr addrspace(1) %to, align 16
  br label %done

done:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
