// Memory of the device for a caller that has ctypes alone.

#include <cuda_runtime.h>

extern "C" {

int device_allocate(void** memory, size_t bytes) { return cudaMalloc(memory, bytes); }
int device_free(void* memory) { return cudaFree(memory); }
int device_write(void* device, const void* host, size_t bytes) {
  return cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice);
}
int device_read(void* host, const void* device, size_t bytes) {
  return cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost);
}
int device_synchronize() { return cudaDeviceSynchronize(); }
}
