; The threads below the limit come to one barrier, the others to another or to none.
target triple = "nvptx64-nvidia-cuda"

define ptx_kernel void @meet(i64 %limit) {
  %t32 = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %t = zext i32 %t32 to i64
  %below = icmp ult i64 %t, %limit
  br i1 %below, label %here, label %there

here:
  call void @llvm.nvvm.barrier0() ; here
  br label %done

there:
  call void @llvm.nvvm.barrier0() ; there
  br label %done

done:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier0()
