# Evaluates a formula as Homebrew does, with the few words of it that ours uses:
#
#   ruby formula.rb FORMULA SYSTEM CPU        prints the URL and the checksum
#   ruby formula.rb FORMULA SYSTEM CPU PREFIX installs the unpacked archive in the
#                                             current directory, and runs the test
require "fileutils"
require "pathname"

FORMULA, SYSTEM, CPU, PREFIX = ARGV

class Target < Pathname
  def install(*sources)
    raise "nothing to install in #{self}" if sources.flatten.empty?
    mkpath
    sources.flatten.each do |source|
      (source.is_a?(Hash) ? source : { source => File.basename(source) }).each do |from, to|
        FileUtils.cp(from, self / to, preserve: true)
      end
    end
  end
end

class Formula
  class << self
    attr_reader :found, :check

    %i[desc homepage version url sha256].each do |word|
      define_method(word) { |value| (@found ||= {})[word] = value }
    end
    { on_macos: "macos", on_linux: "linux" }.each do |word, system|
      define_method(word) { |&block| block.call if system == SYSTEM }
    end
    { on_arm: "arm", on_intel: "intel" }.each do |word, cpu|
      define_method(word) { |&block| block.call if cpu == CPU }
    end

    def test(&block)
      @check = block
    end
  end

  {
    bin: "bin", man1: "share/man/man1", man7: "share/man/man7", bash_completion: "etc/bash_completion.d",
    fish_completion: "share/fish/vendor_completions.d", zsh_completion: "share/zsh/site-functions"
  }.each do |word, path|
    define_method(word) { Target.new(File.join(PREFIX, path)) }
  end

  def shell_output(command)
    output = `#{command}`
    raise "#{command}: #{$?}" unless $?.success?
    output
  end

  def assert_match(part, whole)
    raise "no #{part.inspect} in #{whole.inspect}" unless whole.match?(part)
  end
end

load FORMULA
if PREFIX
  formula = Tokenform.new
  formula.install
  formula.instance_eval(&Tokenform.check)
else
  puts Tokenform.found.fetch(:url), Tokenform.found.fetch(:sha256)
end
