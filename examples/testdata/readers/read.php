<?php
// Prints what a reader makes of V in each of the files: a JSON array, with null for
// a file that the reader refuses.
require '/usr/share/php/Symfony/Component/Dotenv/autoload.php';
require '/usr/share/php/Dotenv/autoload.php';

$readers = [
    'phpdotenv' => fn ($text) => Dotenv\Dotenv::parse($text),
    'symfony' => fn ($text) => (new Symfony\Component\Dotenv\Dotenv())->parse($text),
];
$values = [];
foreach (array_slice($argv, 2) as $path) {
    try {
        $values[] = $readers[$argv[1]](file_get_contents($path))['V'] ?? null;
    } catch (Exception) {
        $values[] = null;
    }
}
echo json_encode($values, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);
