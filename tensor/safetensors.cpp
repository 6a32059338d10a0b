#include "tensor/safetensors.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "tensor/cpu/parallel.h"
#include "tensor/stored_numbers.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

static_assert(std::endian::native == std::endian::little, "the numbers in the file are little endian");

// Matrices (rows, columns), one after the other, each transposed. Writes go through memory in order: the targets are
// large and not in the cache, a source matrix is.
template <class From, class To>
void transpose(std::int64_t matrices, std::int64_t rows, std::int64_t columns, const From* from, To* to) {
  for (std::int64_t m = 0; m < matrices; ++m, from += rows * columns)
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t r = 0; r < rows; ++r) *to++ = static_cast<To>(widened(from[r * columns + c]));
}

// Bytes of the file that a thread reads at once: more than a system call costs, less than its cache.
constexpr std::int64_t piece_bytes = 64 << 10;

std::int64_t piece_of(std::int64_t matrix_bytes) {
  return std::max<std::int64_t>(1, piece_bytes / std::max<std::int64_t>(1, matrix_bytes));
}

// (A, B, C, D) seen as (outer, rows, columns) with the last two axes swapped. On the host.
Tensor transposed(const Tensor& stored, std::int64_t outer, std::int64_t rows, std::int64_t columns,
                  const Shape& shape) {
  const Tensor x = stored.to_host();
  Tensor y = Tensor::empty_on_host(shape, x.dtype());
  with_scalar(x.dtype(), [&]<class T>() {
    const std::int64_t matrix = rows * columns;
    const T* const from = x.data<T>();
    T* const to = y.data<T>();
    parallel_chunks(outer, piece_of(matrix * static_cast<std::int64_t>(sizeof(T))), [&](auto begin, auto end) {
      transpose(end - begin, rows, columns, from + begin * matrix, to + begin * matrix);
    });
  });
  return y;
}

}  // namespace

SafetensorsReader::SafetensorsReader(const fs::path& path) : path_(path), file_(path) {
  SafetensorsHeader header = read_safetensors_header(path, file_);
  for (const SafetensorsEntry& entry : header.entries) {
    if (is_read(entry.dtype))
      stored_[entry.name] = {shape_of(entry.shape), entry.dtype, header.data_start + entry.offsets[0]};
    else
      skipped_.push_back(entry.name);
  }
  std::sort(skipped_.begin(), skipped_.end());
  entries_ = std::move(header.entries);
  metadata_ = std::move(header.metadata);
}

std::vector<std::string> SafetensorsReader::names() const {
  std::vector<std::string> names;
  for (const auto& [name, stored] : stored_) names.push_back(name);
  return names;
}

const SafetensorsReader::Stored& SafetensorsReader::stored(const std::string& name) const {
  const auto found = stored_.find(name);
  check(found != stored_.end(), path_.string(), ": tensor ", name, " is missing");
  return found->second;
}

Tensor SafetensorsReader::read(const std::string& name) const {
  const Stored& from = stored(name);
  Tensor tensor = Tensor::empty_on_host(from.shape, from.dtype == "F64" ? DType::float64 : DType::float32);
  read_into(name, tensor);
  return tensor;
}

void SafetensorsReader::read_into(const std::string& name, Tensor& to) const {
  const Shape& shape = stored(name).shape;
  check(shape == to.shape(), path_.string(), ": tensor ", name, " has shape ", shape.str(), ", wanted is ",
        to.shape().str());
  read_matrices(name, 1, 1, to);
}

void SafetensorsReader::read_filter_into(const std::string& name, Tensor& to) const {
  const Shape &ocrs = stored(name).shape, &orsc = to.shape();
  check(orsc.rank() == 4, "read_filter_into: wants a filter (O, R, S, C), got shape ", orsc.str());
  const Shape wanted{orsc[0], orsc[3], orsc[1], orsc[2]};
  check(ocrs == wanted, path_.string(), ": tensor ", name, " has shape ", ocrs.str(), ", wanted is ", wanted.str());
  read_matrices(name, ocrs[1], std::int64_t{ocrs[2]} * ocrs[3], to);
}

void SafetensorsReader::read_matrices(const std::string& name, std::int64_t rows, std::int64_t columns,
                                      Tensor& wanted) const {
  if (wanted.count() == 0) return;
  if (!wanted.on_host()) return wanted.write_on_host([&](Tensor& host) { read_matrices(name, rows, columns, host); });
  Tensor& to = wanted;
  const Stored& from = stored(name);
  const std::int64_t matrix = rows * columns, matrices = to.count() / matrix;
  std::atomic<bool> done = true;
  with_stored(from.dtype, [&]<class T>() {
    with_scalar(to.dtype(), [&]<class To>() {
      constexpr auto size = static_cast<std::int64_t>(sizeof(T));
      To* const target = to.data<To>();
      // No exception may leave a thread.
      parallel_chunks(matrices, piece_of(matrix * size), [&](std::int64_t begin, std::int64_t end) {
        const auto bytes = static_cast<std::size_t>((end - begin) * matrix * size);
        const std::uint64_t offset = from.offset + static_cast<std::uint64_t>(begin * matrix * size);
        if constexpr (std::is_same_v<T, To>)
          if (rows == 1 || columns == 1) {
            if (!file_.read(offset, target + begin * matrix, bytes)) done = false;
            return;
          }
        const std::unique_ptr<T[]> piece(new (std::nothrow) T[static_cast<std::size_t>((end - begin) * matrix)]);
        if (piece && file_.read(offset, piece.get(), bytes))
          transpose(end - begin, rows, columns, piece.get(), target + begin * matrix);
        else
          done = false;
      });
    });
  });
  check(done, "safetensors file ", path_.string(), ": reading tensor ", shown(name),
        " failed; the file was cut off meanwhile, or memory is short");
}

SafetensorsFile read_safetensors(const fs::path& path) {
  const SafetensorsReader reader(path);
  SafetensorsFile file;
  for (const std::string& name : reader.names()) file.tensors[name] = reader.read(name);
  file.metadata = reader.metadata();
  file.skipped = reader.skipped();
  return file;
}

std::map<std::string, std::string> read_safetensors_metadata(const fs::path& path) {
  return read_safetensors_header(path, InputFile(path)).metadata;
}

void write_safetensors(const fs::path& path, const SafetensorsFile& file) {
  std::vector<const Tensor*> order;  // of the numbers in the file
  nlohmann::json header = nlohmann::json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::uint64_t offset = 0;
  for (const DType dtype : {DType::float64, DType::float32}) {
    for (const auto& [name, tensor] : file.tensors) {
      check(tensor.defined(), "cannot write ", path.string(), ": tensor ", shown(name), " is undefined");
      check(name != "__metadata__", "cannot write ", path.string(), ": \"__metadata__\" is no name for a tensor");
      if (tensor.dtype() != dtype) continue;
      nlohmann::json shape = nlohmann::json::array();
      for (int axis = 0; axis < tensor.shape().rank(); ++axis) shape.push_back(tensor.shape()[axis]);
      header[name] = {{"dtype", dtype == DType::float64 ? "F64" : "F32"},
                      {"shape", shape},
                      {"data_offsets", {offset, offset + tensor.bytes()}}};
      offset += tensor.bytes();
      order.push_back(&tensor);
    }
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail("cannot write ", path.string(), ": a name or a string of the metadata is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  check(text.size() <= safetensors_header_limit, "cannot write ", path.string(), ": names and metadata take ",
        text.size(), " bytes, the format allows ", safetensors_header_limit);

  write_file_atomically(path, [&](std::ostream& out) {
    char prefix[8];
    for (int i = 0; i < 8; ++i) prefix[i] = static_cast<char>(text.size() >> (8 * i));
    out.write(prefix, 8);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    for (const Tensor* tensor : order)
      with_scalar(tensor->dtype(), [&]<class T>() {
        const Tensor host = tensor->to_host();
        out.write(reinterpret_cast<const char*>(host.data<T>()), static_cast<std::streamsize>(host.bytes()));
      });
  });
}

Tensor filter_from_file(const Tensor& w) {
  const Shape s = w.shape();
  check(s.rank() == 4, "filter_from_file: wants a filter (O, C, R, S), got shape ", s.str());
  return transposed(w, s[0], s[1], std::int64_t{s[2]} * s[3], {s[0], s[2], s[3], s[1]});
}

Tensor filter_to_file(const Tensor& w) {
  const Shape s = w.shape();
  check(s.rank() == 4, "filter_to_file: wants a filter (O, R, S, C), got shape ", s.str());
  return transposed(w, s[0], std::int64_t{s[1]} * s[2], s[3], {s[0], s[3], s[1], s[2]});
}

}  // namespace acol
