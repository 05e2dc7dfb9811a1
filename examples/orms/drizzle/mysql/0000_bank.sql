CREATE TABLE `accounts` (
	`id` int AUTO_INCREMENT NOT NULL,
	`owner` varchar(100) NOT NULL,
	`balance` int NOT NULL,
	CONSTRAINT `accounts_id` PRIMARY KEY(`id`),
	CONSTRAINT `accounts_owner_unique` UNIQUE(`owner`)
);
--> statement-breakpoint
CREATE TABLE `transfers` (
	`id` int AUTO_INCREMENT NOT NULL,
	`sender` varchar(100) NOT NULL,
	`receiver` varchar(100) NOT NULL,
	`amount` int NOT NULL,
	CONSTRAINT `transfers_id` PRIMARY KEY(`id`)
);
