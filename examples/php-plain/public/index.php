<?php

declare(strict_types=1);

use Tide\Response;
use Tide\Table;

const MESSAGE = 'Hello from php-plain';

spl_autoload_register(static function (string $class): void {
    $file = dirname(__DIR__) . '/src/' . str_replace('\\', '/', $class) . '.php';
    if (is_file($file)) {
        require $file;
    }
});

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);

$response = match ($path) {
    '/' => Response::html(MESSAGE, getenv('GREETING') ?: 'Welcome'),
    '/api/tides' => tides($_GET['days'] ?? '2'),
    default => Response::json(['error' => "nothing at $path"], 404),
};
$response->send();

function tides(mixed $days): Response
{
    $count = filter_var($days, FILTER_VALIDATE_INT, ['options' => ['min_range' => 1, 'max_range' => 14]]);
    if ($count === false) {
        return Response::json(['error' => 'days must be a number from 1 to 14'], 400);
    }
    return Response::json(['tides' => (new Table(new DateTimeImmutable('today', new DateTimeZone('UTC'))))->next($count)]);
}
