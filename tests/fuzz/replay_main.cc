// Replays a corpus without libFuzzer: every file as it is, then for a number of seconds every file
// cut at each of its first bytes, with single bytes changed, and mixed with others. The inputs are
// the same each time; the machine decides how many of them there are.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "src/base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::size_t inputs = 0;

void feed(const std::string& bytes) {
  ++inputs;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

// Single bytes changed, a part cut out, or the beginning of one file with the end of another.
std::string changed_file(const std::string& file, const std::vector<std::string>& files,
                         hearth::Rng& rng) {
  std::string bytes = file;
  if (bytes.empty()) return bytes;
  if (rng.below(8) == 0) {
    const std::string& other = files[rng.below(files.size())];
    return bytes.substr(0, rng.below(bytes.size())) +
           (other.empty() ? other : other.substr(rng.below(other.size())));
  }
  if (rng.below(8) == 0) bytes.erase(rng.below(bytes.size()), 1 + rng.below(16));
  for (std::uint64_t n = rng.below(5); n > 0 && !bytes.empty(); --n)
    bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
  return bytes;
}

std::vector<std::string> read_files(const char* folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> files;
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY SECONDS\n", argv[0]), 2;
  const std::vector<std::string> files = read_files(argv[1]);
  if (files.empty()) return std::fprintf(stderr, "%s: the corpus is empty\n", argv[1]), 1;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(argv[2]));
  for (const std::string& file : files) feed(file);
  hearth::Rng rng(1);
  for (std::size_t round = 0; std::chrono::steady_clock::now() < end; ++round) {
    for (const std::string& file : files) {
      if (round < std::min<std::size_t>(file.size(), 512)) feed(file.substr(0, round));
      feed(changed_file(file, files, rng));
    }
  }
  std::printf("%zu corpus files replayed, %zu inputs\n", files.size(), inputs);
  return 0;
}
