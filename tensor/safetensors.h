// The safetensors file format: named tensors and a few strings in one file, as PyTorch users exchange weights.
//
//   8 bytes   length L of the header, unsigned, little endian
//   L bytes   JSON: {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...,
//             "__metadata__": {"key": "value", ...}}, may end in spaces
//   the rest  the numbers, row major, little endian; offsets count from here
//
// The regions of the tensors must cover the rest of the file exactly: no overlap, no hole, nothing after the last.
// Source: the format section of the safetensors README (github.com/huggingface/safetensors).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tensor/file.h"
#include "tensor/safetensors_header.h"
#include "tensor/tensor.h"

namespace acol {

struct SafetensorsFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
  // Only after reading: names of the tensors that are no floating point numbers of 16 bits or more (PyTorch's
  // num_batches_tracked is an I64), sorted. Their regions are checked, their numbers are not read.
  std::vector<std::string> skipped;
};

// F32 becomes float32; F64 float64; F16 and BF16 are widened to float32, exactly. Shapes are those of the file: filters
// are (O, C, R, S) there, see filter_from_file(). A scalar (rank 0) becomes shape (1); more than four extents are an
// Error. So is every way in which the file breaks the format: one message that names the file, the tensor and what is
// wrong with it. Memory use is bounded by the size of the file, whatever its header claims.
SafetensorsFile read_safetensors(const std::filesystem::path& path);

// An open file: its header is read and checked as above, its numbers are read tensor by tensor, in parallel, straight
// to where they belong. Nothing is held in memory but the header.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // All tensors, those too that are skipped, in the order of their numbers.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  std::vector<std::string> names() const;  // of the tensors that can be read, sorted
  const std::vector<std::string>& skipped() const { return skipped_; }
  bool contains(const std::string& name) const { return stored_.contains(name); }
  const Shape& shape(const std::string& name) const { return stored(name).shape; }  // in the file

  // All name the file in their Error: no such tensor, another shape, the file cannot be read any more.
  Tensor read(const std::string& name) const;                          // as read_safetensors() has it
  void read_into(const std::string& name, Tensor& to) const;           // equal shape, any type
  void read_filter_into(const std::string& name, Tensor& orsc) const;  // (O, C, R, S) -> (O, R, S, C), any type

 private:
  struct Stored {
    Shape shape;
    std::string dtype;         // the file's word for it
    std::uint64_t offset = 0;  // bytes from the start of the file
  };

  const Stored& stored(const std::string& name) const;
  // Sees the tensor as matrices (rows, columns), one after the other, and transposes each.
  void read_matrices(const std::string& name, std::int64_t rows, std::int64_t columns, Tensor& to) const;

  std::filesystem::path path_;
  InputFile file_;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, Stored> stored_;
  std::map<std::string, std::string> metadata_;
  std::vector<std::string> skipped_;
};

// The strings alone. Reads and checks the header (its claims against the file's size, too), not the numbers.
std::map<std::string, std::string> read_safetensors_metadata(const std::filesystem::path& path);

// Writes atomically (tensor/file.h): the old file stays until the new one is whole. float32 becomes F32, float64 F64;
// the numbers start at a multiple of 8 bytes, the F64 ones first, so that every tensor is aligned. Equal contents give
// equal bytes. `skipped` is not looked at. Error: an undefined tensor, a tensor named "__metadata__", a name or string
// that is not UTF-8, a file that cannot be written.
void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);

// Filters are (O, C, R, S) in files, as PyTorch has them, and (O, R, S, C) in memory. Both return new numbers of the
// same type. The caller knows by name what is a filter. Error: not rank 4.
Tensor filter_from_file(const Tensor& ocrs);  // (O, C, R, S) -> (O, R, S, C)
Tensor filter_to_file(const Tensor& orsc);    // (O, R, S, C) -> (O, C, R, S)

}  // namespace acol
